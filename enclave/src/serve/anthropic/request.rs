//! A request's keys.

use serde_json::{Map, Value, json};

use super::{content, tools};
use crate::serve::{
    error::ApiError,
    fields::{Fields, wrong},
    renamed,
};

/// All keys that are read, or change nothing.
const KNOWN: &[&str] = &[
    "model",
    "max_tokens",
    "messages",
    "system",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "stream",
    "output_config",
    // Who asks, how fast it should go, and what is kept; nothing is kept here.
    "metadata",
    "service_tier",
    "cache_control",
    // Refused unless they change nothing.
    "thinking",
    "speed",
];

/// Reads a request's body, as that of a chat completion.
pub(super) fn parse(body: &Value) -> Result<Value, ApiError> {
    let body = Fields::body(body)?;
    body.only(KNOWN)?;
    body.unless("speed", |value| value == "standard")?;
    if let Some(thinking) = body.below("thinking")? {
        thinking.unless("type", |value| value == "disabled")?;
        thinking.only(&["type"])?;
    }
    let stream = body.flag("stream")?.unwrap_or(false);
    let mut chat = Map::new();
    chat.insert("model".into(), json!(body.required_text("model")?));
    let most = body.required("max_tokens", body.whole("max_tokens", 1)?)?;
    chat.insert("max_completion_tokens".into(), json!(most));
    chat.insert("messages".into(), Value::Array(content::messages(&body)?));
    for key in ["temperature", "top_p"] {
        if let Some(number) = body.number(key, 0.0..=1.0)? {
            chat.insert(key.into(), number.clone());
        }
    }
    if let Some(top) = body.whole("top_k", 0)? {
        chat.insert("top_k".into(), json!(top));
    }
    if let Some(stops) = stops(&body)? {
        chat.insert("stop".into(), stops);
    }
    tools::translate(&body, &mut chat)?;
    if let Some(config) = body.below("output_config")? {
        output_config(&config, &mut chat)?;
    }
    if stream {
        chat.insert("stream".into(), json!(true));
        chat.insert("stream_options".into(), json!({"include_usage": true}));
    }
    Ok(Value::Object(chat))
}

fn stops(body: &Fields<'_>) -> Result<Option<Value>, ApiError> {
    let Some(list) = body.list("stop_sequences")? else {
        return Ok(None);
    };
    for (index, stop) in list.iter().enumerate() {
        if stop.as_str().is_none_or(str::is_empty) {
            return Err(wrong(
                &format!("stop_sequences[{index}]"),
                "a text of at least one character",
            ));
        }
    }
    Ok((!list.is_empty()).then(|| json!(list)))
}

/// A schema for the answer. How hard to think is for models that do.
fn output_config(config: &Fields<'_>, chat: &mut Map<String, Value>) -> Result<(), ApiError> {
    config.only(&["format"])?;
    let Some(format) = config.below("format")? else {
        return Ok(());
    };
    format.only(&["type", "schema"])?;
    if format.required_text("type")? != "json_schema" {
        return Err(wrong(&format.name("type"), "\"json_schema\""));
    }
    let schema = format.required("schema", format.given("schema"))?;
    chat.insert(
        "response_format".into(),
        json!({
            "type": "json_schema",
            "json_schema": {"name": "output", "schema": schema, "strict": true},
        }),
    );
    Ok(())
}

/// An error of the chat completion in this request's words.
pub(super) fn renamed(error: ApiError) -> ApiError {
    renamed::renamed(
        error,
        &[
            ("max_completion_tokens", "max_tokens"),
            ("response_format.json_schema", "output_config.format"),
            ("response_format", "output_config.format"),
            (".function.parameters", ".input_schema"),
            (".function.", "."),
            ("stop", "stop_sequences"),
        ],
    )
}
