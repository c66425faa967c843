//! The input: a text, or items of a conversation, as messages of a chat completion.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::serve::{
    error::{ApiError, quoted},
    fields::{Fields, wrong},
};

/// The messages of instructions and input.
pub(super) fn messages(
    instructions: Option<&str>,
    input: Option<&Value>,
) -> Result<Vec<Value>, ApiError> {
    let mut messages = Messages::default();
    if let Some(instructions) = instructions {
        messages.push("system", instructions);
    }
    match input {
        None => return Err(ApiError::missing("input")),
        Some(Value::String(text)) => messages.push("user", text),
        Some(Value::Array(items)) if items.is_empty() => {
            return Err(ApiError::invalid(
                "input",
                "input is empty; send at least one item",
            ));
        }
        Some(Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                messages.item(&Fields::at(format!("input[{index}]"), item)?)?;
            }
        }
        Some(_) => return Err(wrong("input", "a string or an array")),
    }
    Ok(messages.list)
}

#[derive(Default)]
struct Messages {
    list: Vec<Value>,
    /// The calls so far, by identifier.
    calls: HashSet<String>,
}

impl Messages {
    fn push(&mut self, role: &str, content: &str) {
        self.list.push(json!({"role": role, "content": content}));
    }

    fn item(&mut self, item: &Fields<'_>) -> Result<(), ApiError> {
        match item.text("type")? {
            None | Some("message") => self.message(item),
            Some("function_call") => self.call(item),
            Some("function_call_output") => self.call_output(item),
            Some(kind) => Err(ApiError::unsupported_because(
                &item.name("type"),
                &format!(
                    "this server takes no item {:?}; send message, function_call and function_call_output",
                    quoted(kind)
                ),
            )),
        }
    }

    fn message(&mut self, item: &Fields<'_>) -> Result<(), ApiError> {
        let role = item.required_text("role")?;
        if !["user", "assistant", "system", "developer"].contains(&role) {
            return Err(wrong(
                &item.name("role"),
                "\"user\", \"assistant\", \"system\" or \"developer\"",
            ));
        }
        let content = content(item, "content")?;
        self.push(role, &content);
        Ok(())
    }

    /// A call belongs to the message before it if that is the assistant's: a chat completion has both in one.
    fn call(&mut self, item: &Fields<'_>) -> Result<(), ApiError> {
        item.unless("namespace", |value| value == "")?;
        let id = item.required_text("call_id")?;
        self.calls.insert(id.to_owned());
        let call = json!({
            "id": id,
            "type": "function",
            "function": {
                "name": item.required_text("name")?,
                "arguments": item.required_text("arguments")?,
            },
        });
        if self
            .list
            .last()
            .is_none_or(|last| last["role"] != "assistant")
        {
            self.list
                .push(json!({"role": "assistant", "content": null}));
        }
        if let Some(Value::Object(last)) = self.list.last_mut()
            && let Value::Array(calls) = last.entry("tool_calls").or_insert_with(|| json!([]))
        {
            calls.push(call);
        }
        Ok(())
    }

    fn call_output(&mut self, item: &Fields<'_>) -> Result<(), ApiError> {
        let id = item.required_text("call_id")?;
        if !self.calls.contains(id) {
            return Err(ApiError::invalid(
                item.name("call_id"),
                format!(
                    "{} answers no function_call before it; send the call as well, this server keeps nothing between requests",
                    item.name("call_id")
                ),
            ));
        }
        let content = content(item, "output")?;
        self.list
            .push(json!({"role": "tool", "tool_call_id": id, "content": content}));
        Ok(())
    }
}

/// The text of a string or of parts.
fn content(item: &Fields<'_>, key: &str) -> Result<String, ApiError> {
    let name = item.name(key);
    let parts = match item.required(key, item.given(key))? {
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) => parts,
        _ => return Err(wrong(&name, "a string or an array of parts")),
    };
    let mut text = String::new();
    for (index, part) in parts.iter().enumerate() {
        let part = Fields::at(format!("{name}[{index}]"), part)?;
        text.push_str(match part.required_text("type")? {
            "input_text" | "output_text" | "text" => part.required_text("text")?,
            "refusal" => part.required_text("refusal")?,
            kind => {
                return Err(ApiError::unsupported_because(
                    &part.name("type"),
                    &format!("this server takes no part {:?}; send text", quoted(kind)),
                ));
            }
        });
    }
    Ok(text)
}
