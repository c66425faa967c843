//! A request's keys.

use serde_json::{Map, Value, json};

use super::{input, output, stream::ResponsesStream, tools};
use crate::serve::{
    error::ApiError,
    fields::{Fields, wrong},
    renamed,
};

/// A request for a response, as one for a chat completion.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Responses {
    /// The body of the chat completion.
    pub(super) chat: Value,
    /// What every response object repeats of its request.
    echo: Map<String, Value>,
}

impl Responses {
    /// Reads a request's body.
    pub(super) fn parse(body: &Value) -> Result<Self, ApiError> {
        let body = Fields::body(body)?;
        refuse_state(&body)?;
        body.only(KNOWN)?;
        refuse_unsupported(&body)?;
        let stream = body.flag("stream")?.unwrap_or(false);
        let mut chat = Map::new();
        let mut echo = echo(&body)?;
        chat.insert("model".into(), json!(body.required_text("model")?));
        let messages = input::messages(body.text("instructions")?, body.given("input"))?;
        chat.insert("messages".into(), Value::Array(messages));
        if let Some(most) = body.whole("max_output_tokens", 1)? {
            chat.insert("max_completion_tokens".into(), json!(most));
        }
        for (key, most) in [("temperature", 2.0), ("top_p", 1.0)] {
            if let Some(number) = body.number(key, 0.0..=most)? {
                chat.insert(key.into(), number.clone());
            }
        }
        tools::translate(&body, &mut chat, &mut echo)?;
        text(&body, &mut chat, &mut echo)?;
        if stream {
            chat.insert("stream".into(), json!(true));
            chat.insert("stream_options".into(), json!({"include_usage": true}));
        }
        Ok(Self {
            chat: Value::Object(chat),
            echo,
        })
    }

    /// The response that a whole chat completion is. None: it is no chat completion.
    pub(super) fn answer(&self, completion: &Value) -> Option<Value> {
        output::whole(&self.echo, completion)
    }

    /// What turns chunks into events.
    pub(super) fn events(&self) -> ResponsesStream {
        ResponsesStream::new(self.echo.clone())
    }
}

/// The most pairs of metadata, as at OpenAI.
const MAX_METADATA: usize = 16;

/// All keys that are read, or change nothing.
const KNOWN: &[&str] = &[
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "stream",
    "metadata",
    // Who asks, and what is kept; nothing is kept here.
    "store",
    "user",
    "safety_identifier",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    // A limit on tools that this server does not have.
    "max_tool_calls",
    // Refused unless they change nothing.
    "background",
    "include",
    "reasoning",
    "stream_options",
    "top_logprobs",
    "truncation",
];

/// What refers to something that a server would have had to keep.
fn refuse_state(body: &Fields<'_>) -> Result<(), ApiError> {
    for key in ["previous_response_id", "conversation"] {
        if body.given(key).is_some() {
            return Err(ApiError::unsupported_because(
                key,
                "this server keeps nothing between requests; send the whole conversation as input",
            ));
        }
    }
    body.flag("store")?;
    match body.flag("background")? {
        Some(true) => Err(ApiError::unsupported_because(
            "background",
            "this server keeps nothing between requests; read the answer as it comes, with stream",
        )),
        _ => Ok(()),
    }
}

fn refuse_unsupported(body: &Fields<'_>) -> Result<(), ApiError> {
    body.unless("include", |value| {
        value.as_array().is_some_and(Vec::is_empty)
    })?;
    body.unless("top_logprobs", |value| value.as_u64() == Some(0))?;
    // Leaving out what does not fit would answer another question than was asked.
    body.unless("truncation", |value| value == "disabled")?;
    if let Some(reasoning) = body.below("reasoning")? {
        reasoning.only(&["effort"])?;
        reasoning.unless("effort", |value| value == "none")?;
    }
    if let Some(options) = body.below("stream_options")? {
        options.only(&["include_obfuscation"])?;
        options.unless("include_obfuscation", |value| value == false)?;
    }
    Ok(())
}

/// What a response repeats, whichever way the request goes.
fn echo(body: &Fields<'_>) -> Result<Map<String, Value>, ApiError> {
    let mut echo = Map::new();
    for key in ["user", "safety_identifier", "prompt_cache_key"] {
        if let Some(text) = body.text(key)? {
            echo.insert(key.into(), json!(text));
        }
    }
    let plain = ["instructions", "max_output_tokens", "temperature", "top_p"];
    for key in plain {
        let value = body.given(key).cloned().unwrap_or_default();
        echo.insert(key.into(), value);
    }
    let metadata = body.given("metadata").cloned().unwrap_or_else(|| json!({}));
    check_metadata(&metadata)?;
    echo.insert("metadata".into(), metadata);
    Ok(echo)
}

/// It comes back with each event that carries a response: so it is bounded.
fn check_metadata(metadata: &Value) -> Result<(), ApiError> {
    let fits = metadata.as_object().is_some_and(|pairs| {
        pairs.len() <= MAX_METADATA
            && pairs.iter().all(|(key, value)| {
                key.len() <= 64 && value.as_str().is_some_and(|value| value.len() <= 512)
            })
    });
    if fits {
        Ok(())
    } else {
        Err(wrong(
            "metadata",
            "an object of at most 16 strings of at most 512 bytes, under keys of at most 64",
        ))
    }
}

/// `text.format` is the chat completion's `response_format`.
fn text(
    body: &Fields<'_>,
    chat: &mut Map<String, Value>,
    echo: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    let mut format = json!({"type": "text"});
    if let Some(text) = body.below("text")? {
        text.only(&["format", "verbosity"])?;
        text.unless("verbosity", |value| value == "medium")?;
        if let Some(wanted) = text.below("format")? {
            let response_format = response_format(&wanted)?;
            chat.insert("response_format".into(), response_format);
            format = text.given("format").cloned().unwrap_or(format);
        }
    }
    echo.insert("text".into(), json!({"format": format}));
    Ok(())
}

fn response_format(format: &Fields<'_>) -> Result<Value, ApiError> {
    match format.required_text("type")? {
        kind @ ("text" | "json_object") => {
            format.only(&["type"])?;
            Ok(json!({"type": kind}))
        }
        "json_schema" => {
            format.only(&["type", "name", "schema", "strict", "description"])?;
            let mut schema = Map::new();
            schema.insert("name".into(), json!(format.required_text("name")?));
            let given = format.required("schema", format.given("schema"))?;
            schema.insert("schema".into(), given.clone());
            if let Some(strict) = format.flag("strict")? {
                schema.insert("strict".into(), json!(strict));
            }
            if let Some(description) = format.text("description")? {
                schema.insert("description".into(), json!(description));
            }
            Ok(json!({"type": "json_schema", "json_schema": schema}))
        }
        _ => Err(wrong(
            &format.name("type"),
            "\"text\", \"json_object\" or \"json_schema\"",
        )),
    }
}

/// An error of the chat completion in this request's words.
pub(super) fn renamed(error: ApiError) -> ApiError {
    renamed::renamed(
        error,
        &[
            ("max_completion_tokens", "max_output_tokens"),
            ("response_format.json_schema", "text.format"),
            ("response_format", "text.format"),
            (".function.", "."),
            // The items of the input are not the messages one by one: name the input.
            ("messages", "input"),
        ],
    )
}
