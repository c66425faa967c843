//! A conversation, message by message.

use serde_json::Value;

use super::{
    error::{ApiError, quoted},
    keys,
    object::{Object, array, given, object, text},
};

/// The most messages in one conversation.
const MAX_MESSAGES: usize = 2048;
/// The most parts of one message, and calls of one turn.
const MAX_PARTS: usize = 1024;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// What the model is told about its task. Newer clients say `developer`.
    System(String),
    User(String),
    /// What the model said, and which functions it called.
    Assistant {
        content: String,
        calls: Vec<PastCall>,
    },
    /// What a function that it called returned.
    Tool {
        /// The function.
        name: String,
        content: String,
    },
}

/// A call in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PastCall {
    pub(super) id: String,
    pub(super) name: String,
    /// Should be JSON; a model that failed at that is told what it said.
    pub(super) arguments: String,
}

/// Reads `messages`.
pub(super) fn parse(request: &Object) -> Result<Vec<Message>, ApiError> {
    let Some(list) = given(request, "messages") else {
        return Err(ApiError::missing("messages"));
    };
    let list = array(list, "messages", MAX_MESSAGES)?;
    if list.is_empty() {
        return Err(ApiError::invalid(
            "messages",
            "messages is empty; send at least one",
        ));
    }
    let mut messages = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let message = message(&format!("messages[{index}]"), entry, &messages)?;
        messages.push(message);
    }
    Ok(messages)
}

fn message(place: &str, entry: &Value, earlier: &[Message]) -> Result<Message, ApiError> {
    let entry = object(entry, place)?;
    let content_place = format!("{place}.content");
    let role = match given(entry, "role").and_then(Value::as_str) {
        Some(role @ ("system" | "developer" | "user" | "assistant" | "tool")) => role,
        Some(other) => {
            let message = format!(
                "{place}.role is {:?}; use system, developer, user, assistant or tool",
                quoted(other)
            );
            return Err(ApiError::invalid(format!("{place}.role"), message));
        }
        None => return Err(ApiError::missing(&format!("{place}.role"))),
    };
    keys::refuse_unsupported_message(entry, place)?;
    match role {
        "user" => Ok(Message::User(content(&content_place, entry)?)),
        "assistant" => assistant(place, entry),
        "tool" => Ok(Message::Tool {
            name: called(place, entry, earlier)?,
            content: content(&content_place, entry)?,
        }),
        _ => Ok(Message::System(content(&content_place, entry)?)),
    }
}

fn assistant(place: &str, entry: &Object) -> Result<Message, ApiError> {
    let calls = calls(&format!("{place}.tool_calls"), entry)?;
    let content = match content(&format!("{place}.content"), entry) {
        Err(_) if given(entry, "content").is_none() && !calls.is_empty() => String::new(),
        Err(_) if entry.get("content") == Some(&Value::Null) => instead_of_content(entry),
        content => content?,
    };
    Ok(Message::Assistant { content, calls })
}

/// What an assistant whose content is null said: that it will not answer, or nothing.
fn instead_of_content(entry: &Object) -> String {
    let refusal = given(entry, "refusal").and_then(Value::as_str);
    refusal.unwrap_or_default().to_owned()
}

fn calls(place: &str, entry: &Object) -> Result<Vec<PastCall>, ApiError> {
    let Some(list) = given(entry, "tool_calls") else {
        return Ok(Vec::new());
    };
    let calls = array(list, place, MAX_PARTS)?.iter().enumerate();
    calls
        .map(|(index, call)| {
            let place = format!("{place}[{index}]");
            let call = object(call, &place)?;
            function_type(&place, call)?;
            let function_place = format!("{place}.function");
            let function = match given(call, "function") {
                None => return Err(ApiError::missing(&function_place)),
                Some(function) => object(function, &function_place)?,
            };
            let arguments = text(
                function,
                "arguments",
                &format!("{function_place}.arguments"),
            )?;
            Ok(PastCall {
                id: text(call, "id", &format!("{place}.id"))?.to_owned(),
                name: text(function, "name", &format!("{function_place}.name"))?.to_owned(),
                arguments: arguments.to_owned(),
            })
        })
        .collect()
}

/// Functions are the only tools here.
pub(super) fn function_type(place: &str, tool: &Object) -> Result<(), ApiError> {
    match given(tool, "type").map(Value::as_str) {
        None | Some(Some("function")) => Ok(()),
        Some(other) => {
            let message = format!(
                "{place}.type is {:?}; this server has only functions",
                quoted(other.unwrap_or("no string"))
            );
            Err(ApiError::invalid(format!("{place}.type"), message))
        }
    }
}

/// The function whose result a message is: one that an earlier message called.
fn called(place: &str, entry: &Object, earlier: &[Message]) -> Result<String, ApiError> {
    let place = format!("{place}.tool_call_id");
    let id = text(entry, "tool_call_id", &place)?;
    let calls = earlier.iter().rev().filter_map(|message| match message {
        Message::Assistant { calls, .. } => Some(calls),
        _ => None,
    });
    let call = calls.flatten().find(|call| call.id == id);
    call.map(|call| call.name.clone()).ok_or_else(|| {
        let message = format!(
            "{place} is {:?}, but no earlier assistant message has a call with this id; send its tool_calls before the result",
            quoted(id)
        );
        ApiError::invalid(place, message)
    })
}

/// A text, or the concatenated texts of an array of text parts.
fn content(place: &str, entry: &Object) -> Result<String, ApiError> {
    match given(entry, "content") {
        None => Err(ApiError::missing(place)),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(parts @ Value::Array(_)) => array(parts, place, MAX_PARTS)?
            .iter()
            .enumerate()
            .map(|(index, part)| text_part(&format!("{place}[{index}]"), part))
            .collect(),
        Some(_) => Err(ApiError::invalid(
            place,
            format!("{place} is neither a string nor an array of text parts"),
        )),
    }
}

fn text_part<'a>(place: &str, part: &'a Value) -> Result<&'a str, ApiError> {
    let refuse = |kind: &str, why: &str| {
        let message = format!("{place}.type is {:?}; {why}", quoted(kind));
        Err(ApiError::invalid(format!("{place}.type"), message))
    };
    match part.get("type").and_then(Value::as_str) {
        // In an assistant's turn, OpenAI's clients repeat its refusal as a part of its own.
        Some(kind @ ("text" | "refusal")) => part
            .get(kind)
            .and_then(Value::as_str)
            .ok_or_else(|| ApiError::missing(&format!("{place}.{kind}"))),
        Some(kind @ ("image_url" | "input_image" | "video_url")) => refuse(
            kind,
            "this model has no eyes: send text, such as a description",
        ),
        Some(kind @ ("input_audio" | "audio_url")) => refuse(
            kind,
            "this model has no ears: send the sound to /v1/audio/transcriptions, and its text here",
        ),
        Some(kind @ "file") => refuse(kind, "this server reads no files: send their text"),
        Some(other) => refuse(other, "this server accepts only text"),
        None => Err(ApiError::missing(&format!("{place}.type"))),
    }
}
