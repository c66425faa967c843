//! What a chat completion asks for, from bytes to a question for the engine.
//!
//! A key that would change the answer in a way that this server cannot, or that it does not know, is refused, because
//! ignoring it would be a lie ([`keys`]).

mod body;
mod keys;
mod object;

use chrysalis_wire::{
    configuration::Configuration,
    engine::{MAX_MESSAGES, Message, Prompt, Sampling},
};
use serde_json::Value;

use super::error::{ApiError, quoted};
use crate::engine::Question;
use object::{Object, given};

/// The most stop texts, as at OpenAI.
const MAX_STOPS: usize = 4;
/// The most bytes in a stop text.
const MAX_STOP: usize = 256;

/// A chat completion, checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chat {
    pub(super) question: Question,
    pub(super) delivery: Delivery,
}

/// How to send the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// In one piece.
    Whole,
    /// Piece by piece, with a last piece that counts tokens if requested.
    Stream { with_usage: bool },
}

impl Chat {
    /// Reads a request's body. `seed` is used if the request has none.
    pub(super) fn parse(
        body: &[u8],
        configuration: &Configuration,
        seed: u32,
    ) -> Result<Self, ApiError> {
        let Value::Object(request) = body::json(body)? else {
            return Err(ApiError::malformed("the body is not a JSON object"));
        };
        check_model(&request, &configuration.model.name)?;
        keys::refuse_unsupported(&request)?;
        let messages = messages(&request)?;
        let sampling = Sampling {
            max_tokens: max_tokens(&request, configuration)?,
            temperature: number(&request, "temperature", 0.0, 2.0)?.unwrap_or(1.0),
            top_p: number(&request, "top_p", 0.0, 1.0)?.unwrap_or(1.0),
            seed: request_seed(&request)?.unwrap_or(seed),
            stop: stop(&request)?,
        };
        Ok(Self {
            question: Question {
                prompt: Prompt::Conversation(messages),
                sampling,
            },
            delivery: delivery(&request)?,
        })
    }
}

fn check_model(request: &Object, served: &str) -> Result<(), ApiError> {
    match given(request, "model") {
        None => Err(ApiError::missing("model")),
        Some(Value::String(name)) if name == served => Ok(()),
        Some(Value::String(name)) => Err(ApiError::model_not_found(name, served)),
        Some(_) => Err(ApiError::invalid("model", "model is not a string")),
    }
}

fn messages(request: &Object) -> Result<Vec<Message>, ApiError> {
    let list = match given(request, "messages") {
        None => return Err(ApiError::missing("messages")),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(ApiError::invalid("messages", "messages is not an array")),
    };
    if list.is_empty() {
        return Err(ApiError::invalid(
            "messages",
            "messages is empty; send at least one",
        ));
    }
    if list.len() > MAX_MESSAGES {
        let message = format!(
            "messages has {} entries; the limit is {MAX_MESSAGES}",
            list.len()
        );
        return Err(ApiError::invalid("messages", message));
    }
    list.iter()
        .enumerate()
        .map(|(index, entry)| message(&format!("messages[{index}]"), entry))
        .collect()
}

fn message(place: &str, entry: &Value) -> Result<Message, ApiError> {
    let Value::Object(entry) = entry else {
        return Err(ApiError::invalid(
            place,
            format!("{place} is not an object"),
        ));
    };
    let role = match given(entry, "role").and_then(Value::as_str) {
        // Newer clients say `developer` for what templates call `system`.
        Some("system" | "developer") => "system",
        Some("user") => "user",
        Some("assistant") => "assistant",
        Some(other) => {
            let message = format!(
                "{place}.role is {:?}; use system, developer, user or assistant",
                quoted(other)
            );
            return Err(ApiError::invalid(format!("{place}.role"), message));
        }
        None => return Err(ApiError::missing(&format!("{place}.role"))),
    };
    keys::refuse_unsupported_message(entry, place)?;
    let content = match content(&format!("{place}.content"), entry) {
        Err(_) if role == "assistant" && entry.get("content") == Some(&Value::Null) => {
            instead_of_content(entry)
        }
        content => content?,
    };
    Ok(Message {
        role: role.to_owned(),
        content,
    })
}

/// What an assistant whose content is null said: that it will not answer, or nothing.
fn instead_of_content(entry: &Object) -> String {
    let refusal = given(entry, "refusal").and_then(Value::as_str);
    refusal.unwrap_or_default().to_owned()
}

/// A text, or the concatenated texts of an array of text parts.
fn content(place: &str, entry: &Object) -> Result<String, ApiError> {
    match given(entry, "content") {
        None => Err(ApiError::missing(place)),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => parts
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
    match part.get("type").and_then(Value::as_str) {
        // In an assistant's turn, OpenAI's clients repeat its refusal as a part of its own.
        Some(kind @ ("text" | "refusal")) => part
            .get(kind)
            .and_then(Value::as_str)
            .ok_or_else(|| ApiError::missing(&format!("{place}.{kind}"))),
        Some(other) => {
            let message = format!(
                "{place}.type is {:?}; this server accepts only text",
                quoted(other)
            );
            Err(ApiError::invalid(format!("{place}.type"), message))
        }
        None => Err(ApiError::missing(&format!("{place}.type"))),
    }
}

/// As many as are asked for, but never more than the context has: a client that asks for more wants all that it can get. -1
/// asks for as many as fit, as at llama-server.
fn max_tokens(request: &Object, configuration: &Configuration) -> Result<u32, ApiError> {
    let context = configuration.engine.context;
    // The newer name wins if a client sends both.
    for key in ["max_completion_tokens", "max_tokens"] {
        if let Some(value) = given(request, key) {
            return match whole_number(value) {
                Some(-1) => Ok(context),
                Some(wanted @ 1..) => Ok(u32::try_from(wanted).unwrap_or(context).min(context)),
                _ => {
                    let message = format!(
                        "{key} is not a whole number from 1 up; leave it out for this server's default, or send -1 for as many as fit"
                    );
                    Err(ApiError::invalid(key, message))
                }
            };
        }
    }
    Ok(configuration.serving.default_max_tokens.min(context))
}

/// A whole number, however it is written: 3.0 is one.
fn whole_number(value: &Value) -> Option<i128> {
    let whole = value.as_i64().map(i128::from);
    whole
        .or_else(|| value.as_u64().map(i128::from))
        .or_else(|| {
            let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
            // Saturates; anything that large is out of every range.
            #[allow(clippy::cast_possible_truncation)]
            Some(number as i128)
        })
}

fn number(request: &Object, key: &str, least: f64, most: f64) -> Result<Option<f32>, ApiError> {
    let Some(value) = given(request, key) else {
        return Ok(None);
    };
    match value.as_f64() {
        // The engine computes in single precision; in these ranges nothing else is lost.
        #[allow(clippy::cast_possible_truncation)]
        Some(number) if (least..=most).contains(&number) => Ok(Some(number as f32)),
        _ => Err(ApiError::invalid(
            key,
            format!("{key} is not a number from {least} to {most}"),
        )),
    }
}

/// OpenAI's seeds have 64 bits, the engine's 32: the halves are folded, so that small seeds stay what they are.
fn request_seed(request: &Object) -> Result<Option<u32>, ApiError> {
    let Some(value) = given(request, "seed") else {
        return Ok(None);
    };
    let seed = whole_number(value)
        .and_then(|seed| {
            let negative = i64::try_from(seed).map(i64::cast_unsigned);
            u64::try_from(seed).or(negative).ok()
        })
        .ok_or_else(|| ApiError::invalid("seed", "seed is not a whole number of 64 bits"))?;
    let folded = (seed ^ (seed >> 32)) & u64::from(u32::MAX);
    Ok(u32::try_from(folded).ok())
}

fn stop(request: &Object) -> Result<Vec<String>, ApiError> {
    let wrong = |message: String| Err(ApiError::invalid("stop", message));
    let stops = match given(request, "stop") {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) => Some(vec![text.clone()]),
        Some(Value::Array(list)) => list
            .iter()
            .map(|text| text.as_str().map(str::to_owned))
            .collect(),
        Some(_) => None,
    };
    match stops {
        None => wrong("stop is neither a string nor an array of strings".to_owned()),
        Some(stops) if stops.len() > MAX_STOPS => wrong(format!(
            "stop has {} strings; the limit is {MAX_STOPS}",
            stops.len()
        )),
        Some(stops) if stops.iter().any(String::is_empty) => wrong(
            "stop has an empty string, which would end every answer before it begins; leave it out"
                .to_owned(),
        ),
        Some(stops) if stops.iter().any(|text| text.len() > MAX_STOP) => {
            wrong(format!("a string in stop is longer than {MAX_STOP} bytes"))
        }
        Some(stops) => Ok(stops),
    }
}

fn delivery(request: &Object) -> Result<Delivery, ApiError> {
    let stream = flag(request, "stream", "stream")?;
    match (stream, given(request, "stream_options")) {
        (false, None) => Ok(Delivery::Whole),
        (false, Some(_)) => Err(ApiError::invalid(
            "stream_options",
            "stream_options is only for requests with \"stream\": true; leave it out",
        )),
        (true, None) => Ok(Delivery::Stream { with_usage: false }),
        (true, Some(Value::Object(options))) => {
            keys::refuse_unsupported_stream(options)?;
            Ok(Delivery::Stream {
                with_usage: flag(options, "include_usage", "stream_options.include_usage")?,
            })
        }
        (true, Some(_)) => Err(ApiError::invalid(
            "stream_options",
            "stream_options is not an object",
        )),
    }
}

fn flag(object: &Object, key: &str, place: &str) -> Result<bool, ApiError> {
    match given(object, key) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(ApiError::invalid(
            place,
            format!("{place} is neither true nor false"),
        )),
    }
}

#[cfg(test)]
mod tests;
