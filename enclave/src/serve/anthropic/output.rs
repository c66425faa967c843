//! A message and the blocks in it.

use serde_json::{Map, Value, json};

/// A message without content, from a chat completion or a chunk.
pub(super) fn message(chat: &Value, usage: &Value) -> Option<Value> {
    let id = chat.get("id")?.as_str()?;
    Some(json!({
        "id": format!("msg_{}", id.strip_prefix("chatcmpl-").unwrap_or(id)),
        "type": "message",
        "role": "assistant",
        "model": chat.get("model")?.as_str()?,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage,
    }))
}

/// `stop_reason` and `stop_sequence`. Which stop text ended the answer, a chat completion says in `stop_reason`.
pub(super) fn stop(choice: &Value) -> Option<Map<String, Value>> {
    let sequence = choice
        .get("stop_reason")
        .filter(|reason| reason.is_string());
    let reason = match (choice.get("finish_reason")?.as_str()?, sequence) {
        ("length", _) => "max_tokens",
        ("tool_calls", _) => "tool_use",
        ("content_filter", _) => "refusal",
        (_, Some(_)) => "stop_sequence",
        (_, None) => "end_turn",
    };
    let sequence = sequence.filter(|_| reason == "stop_sequence");
    let mut stop = Map::new();
    stop.insert("stop_reason".into(), json!(reason));
    stop.insert(
        "stop_sequence".into(),
        sequence.cloned().unwrap_or_default(),
    );
    Some(stop)
}

/// Here what came from a cache does not count as input.
pub(super) fn usage(chat: &Value) -> Option<Value> {
    let count = |pointer: &str| chat.pointer(pointer).and_then(Value::as_u64);
    let cached = count("/prompt_tokens_details/cached_tokens").unwrap_or(0);
    Some(json!({
        "input_tokens": count("/prompt_tokens")?.saturating_sub(cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": count("/completion_tokens")?,
    }))
}

/// The message that a whole chat completion is.
pub(super) fn whole(completion: &Value) -> Option<Value> {
    let choice = completion.pointer("/choices/0")?;
    let mut message = message(completion, &usage(completion.get("usage")?)?)?;
    let stop = stop(choice)?;
    let cut_off = stop
        .get("stop_reason")
        .is_some_and(|reason| reason == "max_tokens");
    let said = choice.get("message")?;
    let mut content = Vec::new();
    if let Some(text) = said.get("content").and_then(Value::as_str)
        && !text.is_empty()
    {
        content.push(json!({"type": "text", "text": text}));
    }
    let calls = said.get("tool_calls").and_then(Value::as_array);
    for call in calls.into_iter().flatten() {
        let part = |pointer: &str| call.pointer(pointer).and_then(Value::as_str);
        let arguments = part("/function/arguments")?;
        let input = match serde_json::from_str(arguments) {
            Ok(input @ Value::Object(_)) => input,
            // The arguments of a call that was cut off are no object; that it was, `max_tokens` says.
            _ if cut_off => json!({}),
            _ => return None,
        };
        let (id, name) = (part("/id")?, part("/function/name")?);
        content.push(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
    }
    message["content"] = Value::Array(content);
    if let Value::Object(message) = &mut message {
        message.extend(stop);
    }
    Some(message)
}
