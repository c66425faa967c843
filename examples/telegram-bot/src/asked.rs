//! What a message asks of the bot, if it asks anything.

use teloxide::{
    types::{FileId, Me, Message, MessageEntityKind, MessageEntityRef},
    utils::command::BotCommands,
};

/// The bot's commands; Telegram shows these lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BotCommands)]
#[command(rename_rule = "lowercase", description = "I understand:")]
pub(crate) enum Command {
    /// How to begin, and the chat's number.
    #[command(description = "what this bot is")]
    Start,
    /// What the bot can do.
    #[command(description = "this list")]
    Help,
    /// Forgets the conversation.
    #[command(description = "forget this conversation")]
    Forget,
}

/// What a message is to the bot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A command.
    Command(Command),
    /// A question.
    Text(String),
    /// Something to listen to.
    Recording(Recording),
    /// Something that the bot cannot read.
    Other,
}

/// A voice message, a piece of music, or a video note.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(crate) file: FileId,
    /// Bytes, as Telegram says; 0 if it does not know.
    pub(crate) size: u32,
    pub(crate) name: String,
    /// Its media type, as the sender's program says.
    pub(crate) kind: String,
}

/// Reads a message. `None`: it is not for the bot, because it is one of a group's that neither mentions the bot nor replies to it.
pub(crate) fn asked(message: &Message, me: &Me) -> Option<Asked> {
    let private = message.chat.is_private();
    let text = message.text().or(message.caption()).unwrap_or_default();
    let words = without_mention(message, text, me);
    let reply = message.reply_to_message();
    let replied = reply.is_some_and(|to| to.from.as_ref().is_some_and(|from| from.id == me.id));
    let command = Command::parse(text, me.username()).ok();
    // `/help` alone is for every bot of a group; `/help@name` for this one.
    let command = command.filter(|_| private || text.contains('@'));
    if !private && !replied && words.is_none() && command.is_none() {
        return None;
    }
    if let Some(command) = command {
        return Some(Asked::Command(command));
    }
    if let Some(recording) = recording(message) {
        return Some(Asked::Recording(recording));
    }
    let words = words.unwrap_or_else(|| text.trim().to_owned());
    // A picture's caption is not a question that can be answered without the picture.
    let readable = message.text().is_some() && !words.is_empty();
    Some(if readable {
        Asked::Text(words)
    } else {
        Asked::Other
    })
}

fn recording(message: &Message) -> Option<Recording> {
    let (file, name, kind) = if let Some(voice) = message.voice() {
        (&voice.file, "voice.ogg", voice.mime_type.as_ref())
    } else if let Some(audio) = message.audio() {
        let name = audio.file_name.as_deref().unwrap_or("audio");
        (&audio.file, name, audio.mime_type.as_ref())
    } else {
        (&message.video_note()?.file, "note.mp4", None)
    };
    Some(Recording {
        file: file.id.clone(),
        size: file.size,
        name: name.to_owned(),
        kind: kind
            .map_or("application/octet-stream", AsRef::as_ref)
            .to_owned(),
    })
}

/// The text without the mention of the bot, or `None` if nothing mentions it.
fn without_mention(message: &Message, text: &str, me: &Me) -> Option<String> {
    let entities = message
        .parse_entities()
        .or(message.parse_caption_entities())?;
    let name = format!("@{}", me.username());
    let is_me = |entity: &MessageEntityRef<'_>| match entity.kind() {
        MessageEntityKind::Mention => entity.text().eq_ignore_ascii_case(&name),
        MessageEntityKind::TextMention { user } => user.id == me.id,
        _ => false,
    };
    let mention = entities.iter().find(|entity| is_me(entity))?;
    let (before, after) = (text.get(..mention.start())?, text.get(mention.end()..)?);
    Some(format!("{}{after}", before.trim_start()).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn me() -> Me {
        let me = json!({
            "id": 7, "is_bot": true, "first_name": "Chrysalis", "username": "chrysalis_bot", "can_join_groups": true,
            "can_read_all_group_messages": true, "supports_inline_queries": false, "has_main_web_app": false,
        });
        serde_json::from_value(me).unwrap()
    }

    fn message(chat: &Value, more: &Value) -> Message {
        let mut message = json!({
            "message_id": 1, "date": 1_700_000_000, "chat": chat,
            "from": {"id": 1, "is_bot": false, "first_name": "A"},
        });
        for (key, value) in more.as_object().unwrap() {
            message[key] = value.clone();
        }
        serde_json::from_value(message).unwrap()
    }

    fn in_private(more: &Value) -> Option<Asked> {
        asked(
            &message(
                &json!({"id": 1, "type": "private", "first_name": "A"}),
                more,
            ),
            &me(),
        )
    }

    fn in_group(more: &Value) -> Option<Asked> {
        asked(
            &message(&json!({"id": -5, "type": "supergroup", "title": "G"}), more),
            &me(),
        )
    }

    fn text(text: &str) -> Asked {
        Asked::Text(text.into())
    }

    #[test]
    fn every_text_of_a_private_chat_is_a_question() {
        assert_eq!(in_private(&json!({"text": " Hello "})), Some(text("Hello")));
        assert_eq!(
            in_private(&json!({"text": "/forget"})),
            Some(Asked::Command(Command::Forget))
        );
        assert_eq!(
            in_private(&json!({"text": "/unknown"})),
            Some(text("/unknown"))
        );
        let photo = json!({"photo": [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1, "file_size": 9}], "caption": "what?"});
        assert_eq!(in_private(&photo), Some(Asked::Other));
    }

    #[test]
    fn in_a_group_only_mentions_and_replies_count() {
        assert_eq!(in_group(&json!({"text": "Hello"})), None);
        assert_eq!(in_group(&json!({"text": "/help"})), None);
        assert_eq!(in_group(&json!({"text": "/help@other_bot"})), None);
        assert_eq!(
            in_group(&json!({"text": "/help@chrysalis_bot"})),
            Some(Asked::Command(Command::Help))
        );
        // The butterfly has two units, in which Telegram counts.
        let mention = json!({"text": "🦋 @Chrysalis_bot why?", "entities": [{"type": "mention", "offset": 3, "length": 14}]});
        assert_eq!(in_group(&mention), Some(text("🦋  why?")));
        let other = json!({"text": "@other_bot why?", "entities": [{"type": "mention", "offset": 0, "length": 10}]});
        assert_eq!(in_group(&other), None);
        let said = |from: u64| {
            json!({"text": "And?", "reply_to_message": {
                "message_id": 2, "date": 1_700_000_000, "chat": {"id": -5, "type": "supergroup", "title": "G"}, "text": "x",
                "from": {"id": from, "is_bot": true, "first_name": "B"},
            }})
        };
        assert_eq!(in_group(&said(7)), Some(text("And?")));
        assert_eq!(in_group(&said(8)), None);
    }

    #[test]
    fn recordings_of_three_kinds() {
        let file = |more: Value| {
            let mut file =
                json!({"file_id": "f", "file_unique_id": "u", "duration": 4, "file_size": 9});
            for (key, value) in more.as_object().unwrap() {
                file[key] = value.clone();
            }
            file
        };
        for (message, name, kind) in [
            (
                json!({"voice": file(json!({"mime_type": "audio/ogg"}))}),
                "voice.ogg",
                "audio/ogg",
            ),
            (
                json!({"audio": file(json!({"file_name": "a.mp3", "mime_type": "audio/mpeg"}))}),
                "a.mp3",
                "audio/mpeg",
            ),
            (
                json!({"video_note": file(json!({"length": 240}))}),
                "note.mp4",
                "application/octet-stream",
            ),
        ] {
            let recording = Recording {
                file: "f".into(),
                size: 9,
                name: name.into(),
                kind: kind.into(),
            };
            assert_eq!(in_private(&message), Some(Asked::Recording(recording)));
            assert_eq!(in_group(&message), None);
        }
    }
}
