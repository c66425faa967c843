//! One message, from what it asks to the last edit of the answer.

use std::time::Instant;

use teloxide::{
    RequestError,
    types::{Me, Message, MessageEntity, MessageEntityKind::Blockquote, UserId},
    utils::command::BotCommands,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    access::Access,
    asked::{Asked, Command, Recording, asked},
    budget::{Budget, today},
    history::History,
    live::Live,
    model::Model,
    options::Options,
    split::{parts, units},
    telegram::{MAX_FILE, NotFetched, Telegram, name, patient},
    trouble::Trouble,
};

const HELLO: &str = "I answer questions, written or spoken. They are answered in a confidential enclave, which was verified before a \
byte of yours went there: whoever runs it cannot read them. Telegram can, like every chat with a bot. I remember this conversation until \
/forget, and write nothing down.";
const PRIVATE: &str = "This bot answers only people that its owner has named.";
const SPENT: &str = "Today's budget is used up. A new one begins at 00:00 UTC.";
const RESTARTING: &str = "The bot is being restarted. Please send this again in a minute.";
const BUSY: &str =
    "One thing after the other, please: this was too much at once, and I left some of it out.";
const FORGOTTEN: &str = "Forgotten.";
const UNREADABLE: &str = "I can read text, and listen to voice messages.";
const DEAF: &str = "This bot does not listen to voice messages. Please write.";
const TOO_LARGE: &str = "This recording is over 20 MB, the most that Telegram gives to bots. Please send it in shorter pieces.";
const NOT_FETCHED: &str = "Telegram did not give me this recording. Please send it again.";
const SILENT: &str = "I heard no words in this recording.";
const EMPTY: &str = "The model said nothing.";

/// Everything that all chats share.
#[derive(Debug)]
pub(crate) struct Answering {
    telegram: Telegram,
    me: Me,
    model: Model,
    access: Access,
    budget: Budget,
    /// Jobs at once, over all chats.
    places: Semaphore,
    stop: CancellationToken,
    pub(crate) options: Options,
}

/// Why there is no answer.
enum Failed {
    /// The chat was not reached; nothing can be said there.
    Chat(RequestError),
    /// The chat is told.
    Told(Trouble),
}

impl From<RequestError> for Failed {
    fn from(error: RequestError) -> Self {
        Self::Chat(error)
    }
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Told(trouble)
    }
}

impl Answering {
    pub(crate) fn new(
        options: Options,
        telegram: Telegram,
        me: Me,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            telegram,
            me,
            model: Model::new(&options)?,
            access: if options.allow_everyone {
                Access::Everyone
            } else {
                Access::Only(options.allow.iter().copied().collect())
            },
            budget: Budget::new(options.daily_requests, options.daily_nano),
            places: Semaphore::new(options.jobs.into()),
            stop,
            options,
        })
    }

    /// Answers a message of a chat with this history. Never fails: what goes wrong is said in the chat, or logged if that is not reached.
    pub(crate) async fn answer(&self, message: &Message, history: &mut History) {
        let Some(asked) = asked(message, &self.me) else {
            return;
        };
        let Some(user) = message.from.as_ref().map(|from| from.id) else {
            return;
        };
        let began = Instant::now();
        match self.answer_to(message, asked, user, history).await {
            Ok(()) => {}
            Err(Failed::Chat(error)) => {
                tracing::warn!(event = "chat_not_reached", why = name(&error));
            }
            Err(Failed::Told(trouble)) => {
                tracing::warn!(event = "no_answer", code = trouble.code());
                self.say(message, &trouble.sentence()).await;
            }
        }
        tracing::info!(event = "done", ms = began.elapsed().as_millis());
    }

    async fn answer_to(
        &self,
        message: &Message,
        asked: Asked,
        user: UserId,
        history: &mut History,
    ) -> Result<(), Failed> {
        if !self.access.allows(message.chat.id, user) {
            // In a group nobody asked to hear this.
            if message.chat.is_private() {
                self.say(message, &format!("{PRIVATE} Your number is {user}."))
                    .await;
            }
            return Ok(());
        }
        let plain = match &asked {
            Asked::Command(Command::Start) => HELLO.to_owned(),
            Asked::Command(Command::Help) => {
                format!("{}\n\n{HELLO}", Command::descriptions())
            }
            Asked::Command(Command::Forget) => {
                history.forget();
                FORGOTTEN.to_owned()
            }
            Asked::Other => UNREADABLE.to_owned(),
            Asked::Recording(_) if !self.model.hears() => DEAF.to_owned(),
            Asked::Recording(recording) if recording.size > MAX_FILE => TOO_LARGE.to_owned(),
            _ if self.stop.is_cancelled() => RESTARTING.to_owned(),
            _ if !self.budget.take(user, today()) => SPENT.to_owned(),
            _ => String::new(),
        };
        if !plain.is_empty() {
            self.say(message, &plain).await;
            return Ok(());
        }
        let place = tokio::select! {
            biased;
            place = self.places.acquire() => place,
            () = self.stop.cancelled() => {
                self.say(message, RESTARTING).await;
                return Ok(());
            }
        };
        let working = async {
            let question = match asked {
                Asked::Recording(recording) => self.hear(message, &recording, user).await?,
                Asked::Text(text) => Some(text),
                _ => None,
            };
            match question {
                Some(question) => self.stream(message, question, user, history).await,
                None => Ok(()),
            }
        };
        let outcome = tokio::select! {
            outcome = working => outcome,
            () = self.telegram.type_on(message.chat.id) => Ok(()),
        };
        drop(place);
        outcome
    }

    /// Writes a recording down and shows the words, quoted. `None`: there are none, which was said.
    async fn hear(
        &self,
        message: &Message,
        recording: &Recording,
        user: UserId,
    ) -> Result<Option<String>, Failed> {
        let bytes = match self.telegram.fetch(&recording.file).await {
            Ok(bytes) => bytes,
            Err(NotFetched::TooLarge) => {
                self.say(message, TOO_LARGE).await;
                return Ok(None);
            }
            Err(NotFetched::Failed(why)) => {
                tracing::warn!(event = "recording_not_fetched", why);
                self.say(message, NOT_FETCHED).await;
                return Ok(None);
            }
        };
        let (text, nano) = self.model.hear(recording, bytes).await?;
        self.budget.charge(user, today(), nano);
        if text.is_empty() {
            self.say(message, SILENT).await;
            return Ok(None);
        }
        for part in parts(&text) {
            let quoted = [MessageEntity::new(Blockquote, 0, units(part))];
            self.send(message, part, &quoted).await?;
        }
        Ok(Some(text))
    }

    /// Streams the answer to a question into the chat, and keeps both if it comes to its end.
    async fn stream(
        &self,
        message: &Message,
        question: String,
        user: UserId,
        history: &mut History,
    ) -> Result<(), Failed> {
        let mut answer = self
            .model
            .ask(history.messages(&self.options.system, &question))
            .await?;
        let mut live = Live::new(&self.telegram, message.chat.id, message.id);
        let outcome = loop {
            let due = live.due();
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => live.show().await?,
                piece = answer.next() => match piece {
                    Ok(Some(piece)) => live.push(&piece),
                    Ok(None) => break Ok(()),
                    Err(trouble) => break Err(trouble),
                },
            }
        };
        self.budget.charge(user, today(), answer.nano);
        if let Err(trouble) = outcome {
            if live.text().trim().is_empty() {
                return Err(trouble.into());
            }
            tracing::warn!(event = "broke_off", code = trouble.code());
            live.push(&format!("\n\n{}", trouble.sentence()));
            live.finish().await?;
            return Ok(());
        }
        let said = live.text().trim().to_owned();
        if said.is_empty() {
            live.push(EMPTY);
        } else if answer.cut {
            live.push(&format!(
                "\n\n(Cut off at {} tokens.)",
                self.model.max_tokens()
            ));
        }
        live.finish().await?;
        if !said.is_empty() {
            history.keep(question, said);
        }
        Ok(())
    }

    /// Says that messages of this chat were left out.
    pub(crate) async fn say_busy(&self, message: &Message) {
        let from = message.from.as_ref().map(|from| from.id);
        let heard = asked(message, &self.me).is_some();
        if heard && from.is_some_and(|user| self.access.allows(message.chat.id, user)) {
            self.say(message, BUSY).await;
        }
    }

    async fn say(&self, message: &Message, text: &str) {
        if let Err(error) = self.send(message, text, &[]).await {
            tracing::warn!(event = "chat_not_reached", why = name(&error));
        }
    }

    async fn send(
        &self,
        message: &Message,
        text: &str,
        entities: &[MessageEntity],
    ) -> Result<(), RequestError> {
        let send = || {
            self.telegram
                .send(message.chat.id, message.id, text, entities)
        };
        patient(send).await.map(|_| ())
    }
}
