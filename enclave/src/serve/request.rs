//! What a completion asks for, from JSON to values that are in range. A key that would change the answer in a way that this
//! server cannot, or that it does not know, is refused, because ignoring it would be a lie ([`keys`]).

use chrysalis_wire::configuration::{Model, Serving};
use serde_json::Value;

use super::logprobs::MAX_ALTERNATIVES;
use super::{
    error::ApiError,
    format, keys, messages,
    messages::Message,
    object::{Object, array, flag, given, whole},
    sampling::{self, Sampling},
    schema::Schema,
    tools::Tools,
};

/// The most prompts of one text completion.
const MAX_PROMPTS: usize = 128;
/// The most alternatives of a text completion, as at OpenAI.
const MAX_TEXT_ALTERNATIVES: u32 = 5;

/// How to send the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// In one piece.
    Whole,
    /// Piece by piece, with a last piece that counts tokens if requested.
    Stream { with_usage: bool },
}

/// What both kinds of completion have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) sampling: Sampling,
    /// Choices for each prompt.
    pub(super) choices: u32,
    /// Alternatives to say for each token, if its likelihood is wanted.
    pub(super) logprobs: Option<u32>,
    pub(super) delivery: Delivery,
}

/// A chat completion.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) request: Request,
    pub(super) messages: Vec<Message>,
    /// What may be called.
    pub(super) tools: Option<Tools>,
    /// What a text has to follow.
    pub(super) format: Option<Schema>,
}

/// A text completion.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) request: Request,
    pub(super) prompts: Vec<String>,
    /// Whether each answer begins with its prompt.
    pub(super) echo: bool,
}

impl Chat {
    /// Reads a request. `seed` is used if the request has none.
    pub(super) fn parse(
        request: &Object,
        model: &Model,
        serving: &Serving,
        seed: u32,
    ) -> Result<Self, ApiError> {
        keys::refuse_unsupported(request, "", &[keys::COMMON, keys::CHAT])?;
        let chat = Self {
            messages: messages::parse(request)?,
            tools: Tools::parse(request)?,
            format: format::parse(request)?,
            request: Request {
                sampling: Sampling::parse(request, model, serving, seed)?,
                choices: sampling::choices(request)?,
                logprobs: chat_logprobs(request)?,
                delivery: delivery(request)?,
            },
        };
        if chat.tools.is_some() && chat.request.logprobs.is_some() {
            return Err(ApiError::invalid(
                "logprobs",
                "logprobs cannot be had together with tools; leave out one of them, or send tool_choice none",
            ));
        }
        Ok(chat)
    }
}

impl Text {
    /// Reads a request. `seed` is used if the request has none.
    pub(super) fn parse(
        request: &Object,
        model: &Model,
        serving: &Serving,
        seed: u32,
    ) -> Result<Self, ApiError> {
        keys::refuse_unsupported(request, "", &[keys::COMMON, keys::TEXT])?;
        let text = Self {
            prompts: prompts(request)?,
            echo: flag(request, "echo", "echo")?,
            request: Request {
                sampling: Sampling::parse(request, model, serving, seed)?,
                choices: sampling::choices(request)?,
                logprobs: text_logprobs(request)?,
                delivery: delivery(request)?,
            },
        };
        if text.echo && text.request.logprobs.is_some() {
            return Err(ApiError::invalid(
                "echo",
                "echo cannot be had together with logprobs: those of a prompt are not known here; leave out one of them",
            ));
        }
        Ok(text)
    }
}

fn prompts(request: &Object) -> Result<Vec<String>, ApiError> {
    let wrong = |message: &str| ApiError::invalid("prompt", message);
    match given(request, "prompt") {
        None => Err(ApiError::missing("prompt")),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(list @ Value::Array(_)) => {
            let list = list.as_array().map_or(&[][..], Vec::as_slice);
            if list.is_empty() {
                return Err(wrong("prompt is empty; send a text"));
            }
            // A list of numbers may be long.
            if list
                .iter()
                .any(|prompt| prompt.is_number() || prompt.is_array())
            {
                return Err(wrong(
                    "prompt has tokens by number, which this server does not take; send text",
                ));
            }
            let list = array(
                request.get("prompt").unwrap_or(&Value::Null),
                "prompt",
                MAX_PROMPTS,
            )?;
            let texts = list.iter().map(|text| text.as_str().map(str::to_owned));
            texts
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("prompt is neither a text nor an array of texts"))
        }
        Some(_) => Err(wrong("prompt is neither a text nor an array of texts")),
    }
}

fn chat_logprobs(request: &Object) -> Result<Option<u32>, ApiError> {
    let alternatives = whole(request, "top_logprobs", 0, MAX_ALTERNATIVES)?;
    if flag(request, "logprobs", "logprobs")? {
        return Ok(Some(alternatives.unwrap_or(0)));
    }
    match alternatives {
        None | Some(0) => Ok(None),
        Some(_) => Err(ApiError::invalid(
            "top_logprobs",
            "top_logprobs is only for requests with \"logprobs\": true; send that as well",
        )),
    }
}

fn text_logprobs(request: &Object) -> Result<Option<u32>, ApiError> {
    // Some clients send what is right for chats.
    if given(request, "logprobs").is_some_and(|value| value == false) {
        return Ok(None);
    }
    whole(request, "logprobs", 0, MAX_TEXT_ALTERNATIVES)
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
            keys::refuse_unsupported(options, "stream_options.", &[keys::STREAM])?;
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

#[cfg(test)]
mod tests;
