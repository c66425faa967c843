//! A response and the items in it.

use serde_json::{Map, Value, json};

/// What one answer's identifiers and times are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) key: String,
    pub(super) created: u64,
    pub(super) model: String,
}

impl Envelope {
    /// From a chat completion or a chunk.
    pub(super) fn of(chat: &Value) -> Option<Self> {
        let id = chat.get("id")?.as_str()?;
        Some(Self {
            key: id.strip_prefix("chatcmpl-").unwrap_or(id).to_owned(),
            created: chat.get("created")?.as_u64()?,
            model: chat.get("model")?.as_str()?.to_owned(),
        })
    }

    /// The identifier of the item at this place of the output.
    pub(super) fn item(&self, prefix: &str, place: usize) -> String {
        format!("{prefix}_{}{place:02x}", self.key)
    }
}

/// How a response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    /// Cut off, and why.
    Incomplete(&'static str),
}

impl End {
    pub(super) fn of(finish_reason: &str) -> Self {
        match finish_reason {
            "length" => Self::Incomplete("max_output_tokens"),
            "content_filter" => Self::Incomplete("content_filter"),
            _ => Self::Completed,
        }
    }

    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
        }
    }
}

/// A response whose output is still to come. `store` and what it would allow are answered as what they are here: off.
pub(super) fn response(echo: &Map<String, Value>, envelope: &Envelope, status: &str) -> Value {
    let mut response = json!({
        "id": format!("resp_{}", envelope.key),
        "object": "response",
        "created_at": envelope.created,
        "completed_at": null,
        "model": envelope.model,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "output": [],
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "store": false,
        "top_logprobs": 0,
        "truncation": "disabled",
        "usage": null,
    });
    if let Value::Object(response) = &mut response {
        response.extend(echo.clone());
    }
    response
}

/// The same at its end.
pub(super) fn ended(
    echo: &Map<String, Value>,
    envelope: &Envelope,
    end: End,
    output: Vec<Value>,
    usage: Value,
) -> Value {
    let mut response = response(echo, envelope, end.status());
    match end {
        End::Completed => response["completed_at"] = json!(now().max(envelope.created)),
        End::Incomplete(reason) => response["incomplete_details"] = json!({"reason": reason}),
    }
    response["output"] = Value::Array(output);
    response["usage"] = usage;
    response
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// How many tokens were read and made.
pub(super) fn usage(chat: &Value) -> Option<Value> {
    let count = |pointer: &str| chat.pointer(pointer).and_then(Value::as_u64);
    let (input, output) = (count("/prompt_tokens")?, count("/completion_tokens")?);
    Some(json!({
        "input_tokens": input,
        "input_tokens_details": {
            "cached_tokens": count("/prompt_tokens_details/cached_tokens").unwrap_or(0),
            "cache_write_tokens": 0,
        },
        "output_tokens": output,
        "output_tokens_details": {
            "reasoning_tokens": count("/completion_tokens_details/reasoning_tokens").unwrap_or(0),
        },
        "total_tokens": input.saturating_add(output),
    }))
}

/// A part of a message.
pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// A message, with or without its one part.
pub(super) fn message(id: &str, status: &str, parts: &[Value]) -> Value {
    json!({"id": id, "type": "message", "role": "assistant", "status": status, "content": parts})
}

/// A call of a function.
pub(super) fn call(id: &str, status: &str, call_id: &str, name: &str, arguments: &str) -> Value {
    json!({
        "id": id,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    })
}

/// The response that a whole chat completion is.
pub(super) fn whole(echo: &Map<String, Value>, completion: &Value) -> Option<Value> {
    let envelope = Envelope::of(completion)?;
    let choice = completion.pointer("/choices/0")?;
    let end = End::of(choice.get("finish_reason")?.as_str()?);
    let said = choice.get("message")?;
    let calls = match said.get("tool_calls") {
        None | Some(Value::Null) => &[][..],
        Some(calls) => calls.as_array()?.as_slice(),
    };
    let text = said
        .get("content")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut output = Vec::new();
    if !text.is_empty() || calls.is_empty() {
        let id = envelope.item("msg", 0);
        output.push(message(&id, end.status(), &[text_part(text)]));
    }
    for made in calls {
        let id = envelope.item("fc", output.len());
        let part = |pointer: &str| made.pointer(pointer).and_then(Value::as_str);
        let (name, arguments) = (part("/function/name")?, part("/function/arguments")?);
        output.push(call(&id, end.status(), part("/id")?, name, arguments));
    }
    let usage = usage(completion.get("usage")?)?;
    Some(ended(echo, &envelope, end, output, usage))
}
