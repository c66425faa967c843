//! System text and messages, as those of a chat completion.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::serve::{
    error::{ApiError, quoted},
    fields::{Fields, wrong},
};

/// What stands before a tool's result that is an error: a chat completion has no other place to say so.
const ERROR: &str = "Error: ";

/// The messages of `system` and `messages`.
pub(super) fn messages(body: &Fields<'_>) -> Result<Vec<Value>, ApiError> {
    let mut conversation = Conversation::default();
    if body.given("system").is_some() {
        let content = text(body, "system")?;
        conversation.push("system", &content);
    }
    let list = body.required("messages", body.list("messages")?)?;
    let Some(end) = list.len().checked_sub(1) else {
        return Err(ApiError::invalid(
            "messages",
            "messages is empty; send at least one",
        ));
    };
    for (index, message) in list.iter().enumerate() {
        let message = Fields::at(format!("messages[{index}]"), message)?;
        message.only(&["role", "content"])?;
        match message.required_text("role")? {
            "user" => conversation.user(&message)?,
            "assistant" if index == end => {
                return Err(ApiError::unsupported_because(
                    &message.name("role"),
                    "this server does not continue an assistant's message; end with a user's",
                ));
            }
            "assistant" => conversation.assistant(&message)?,
            "system" => {
                let content = text(&message, "content")?;
                conversation.push("system", &content);
            }
            _ => {
                let name = message.name("role");
                return Err(wrong(&name, "\"user\", \"assistant\" or \"system\""));
            }
        }
    }
    Ok(conversation.list)
}

#[derive(Default)]
struct Conversation {
    list: Vec<Value>,
    /// The calls so far, by identifier.
    calls: HashSet<String>,
}

impl Conversation {
    fn push(&mut self, role: &str, content: &str) {
        self.list.push(json!({"role": role, "content": content}));
    }

    /// Text, or the results of tools and then text.
    fn user(&mut self, message: &Fields<'_>) -> Result<(), ApiError> {
        let mut said = None;
        for block in blocks(message, "content")? {
            let block = match block {
                Block::Text(text) => {
                    said.get_or_insert_with(String::new).push_str(text);
                    continue;
                }
                Block::Other(block) => block,
            };
            match block.required_text("type")? {
                "tool_result" if said.is_none() => self.result(&block)?,
                "tool_result" => {
                    return Err(ApiError::invalid(
                        block.name("type"),
                        format!(
                            "{} is a tool_result after text; send results first",
                            block.name("type")
                        ),
                    ));
                }
                kind => return Err(no_block(&block, kind, "text and tool_result")),
            }
        }
        if let Some(said) = said {
            self.push("user", &said);
        }
        Ok(())
    }

    fn result(&mut self, block: &Fields<'_>) -> Result<(), ApiError> {
        block.only(&[
            "type",
            "tool_use_id",
            "content",
            "is_error",
            "cache_control",
        ])?;
        let id = block.required_text("tool_use_id")?;
        if !self.calls.contains(id) {
            let name = block.name("tool_use_id");
            let message = format!(
                "{name} answers no tool_use before it; send the assistant's message as well"
            );
            return Err(ApiError::invalid(name, message));
        }
        let mut content = match block.given("content") {
            None => String::new(),
            Some(_) => text(block, "content")?,
        };
        if block.flag("is_error")? == Some(true) {
            content.insert_str(0, ERROR);
        }
        self.list
            .push(json!({"role": "tool", "tool_call_id": id, "content": content}));
        Ok(())
    }

    fn assistant(&mut self, message: &Fields<'_>) -> Result<(), ApiError> {
        let mut said = String::new();
        let mut calls = Vec::new();
        for block in blocks(message, "content")? {
            let block = match block {
                Block::Text(text) => {
                    said.push_str(text);
                    continue;
                }
                Block::Other(block) => block,
            };
            match block.required_text("type")? {
                "tool_use" => calls.push(self.call(&block)?),
                kind => return Err(no_block(&block, kind, "text and tool_use")),
            }
        }
        let mut message = json!({"role": "assistant", "content": said});
        if !calls.is_empty() {
            message["tool_calls"] = Value::Array(calls);
        }
        self.list.push(message);
        Ok(())
    }

    fn call(&mut self, block: &Fields<'_>) -> Result<Value, ApiError> {
        block.only(&["type", "id", "name", "input", "caller", "cache_control"])?;
        block.unless("caller", |caller| *caller == json!({"type": "direct"}))?;
        let id = block.required_text("id")?;
        let input = block.required("input", block.given("input"))?;
        if !input.is_object() {
            return Err(wrong(&block.name("input"), "an object"));
        }
        self.calls.insert(id.to_owned());
        Ok(json!({
            "id": id,
            "type": "function",
            "function": {"name": block.required_text("name")?, "arguments": input.to_string()},
        }))
    }
}

enum Block<'a> {
    Text(&'a str),
    Other(Fields<'a>),
}

/// The blocks of a content: one text, or as many as there are.
fn blocks<'a>(object: &Fields<'a>, key: &str) -> Result<Vec<Block<'a>>, ApiError> {
    let name = object.name(key);
    let list = match object.required(key, object.given(key))? {
        Value::String(text) => return Ok(vec![Block::Text(text)]),
        Value::Array(list) => list,
        _ => return Err(wrong(&name, "a string or an array of blocks")),
    };
    if list.is_empty() {
        let message = format!("{name} is empty; send a string or at least one block");
        return Err(ApiError::invalid(name, message));
    }
    list.iter()
        .enumerate()
        .map(|(index, block)| {
            let block = Fields::at(format!("{name}[{index}]"), block)?;
            if block.required_text("type")? != "text" {
                return Ok(Block::Other(block));
            }
            block.only(&["type", "text", "cache_control", "citations"])?;
            block.unless("citations", |value| {
                value.as_array().is_some_and(Vec::is_empty)
            })?;
            Ok(Block::Text(block.required_text("text")?))
        })
        .collect()
}

/// A content of nothing but text.
fn text(object: &Fields<'_>, key: &str) -> Result<String, ApiError> {
    let mut text = String::new();
    for block in blocks(object, key)? {
        match block {
            Block::Text(piece) => text.push_str(piece),
            Block::Other(block) => {
                let kind = block.required_text("type")?;
                return Err(no_block(&block, kind, "text"));
            }
        }
    }
    Ok(text)
}

fn no_block(block: &Fields<'_>, kind: &str, known: &str) -> ApiError {
    ApiError::unsupported_because(
        &block.name("type"),
        &format!(
            "this server takes no block {:?} here; send {known}",
            quoted(kind)
        ),
    )
}
