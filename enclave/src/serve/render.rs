//! A conversation as an engine's chat template takes it: roles and texts. Functions, calls and results are told in words and
//! JSON, because a template may know nothing of them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{messages::Message, schema::Schema, tools::Tools};

/// A turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) role: &'static str,
    pub(super) content: String,
}

/// The turns of a conversation in which these functions may be called.
pub(super) fn turns(messages: Vec<Message>, tools: Option<&Tools>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    let mut after_result = false;
    for message in messages {
        let is_result = matches!(message, Message::Tool { .. });
        let turn = turn(message);
        match turns.last_mut() {
            // Many templates want users and assistants to take turns; results of one turn belong together.
            Some(last) if is_result && after_result => {
                last.content.push_str("\n\n");
                last.content.push_str(&turn.content);
            }
            _ => turns.push(turn),
        }
        after_result = is_result;
    }
    if let Some(tools) = tools {
        explain(tools, &mut turns);
    }
    turns
}

fn turn(message: Message) -> Turn {
    let (role, content) = match message {
        Message::System(content) => ("system", content),
        Message::User(content) => ("user", content),
        Message::Assistant { content, calls } if calls.is_empty() => ("assistant", content),
        Message::Assistant { content, calls } => {
            let calls = calls.iter().map(|call| {
                let parameters = serde_json::from_str(&call.arguments)
                    .unwrap_or_else(|_| Value::String(call.arguments.clone()));
                json!({"name": call.name, "parameters": parameters})
            });
            let calls = json!({"calls": calls.collect::<Vec<_>>()});
            let between = if content.is_empty() { "" } else { "\n\n" };
            ("assistant", format!("{content}{between}{calls}"))
        }
        Message::Tool { name, content } => ("user", format!("{name} returned: {content}")),
    };
    Turn { role, content }
}

/// Says, in a system message, what may be called and how.
fn explain(tools: &Tools, turns: &mut Vec<Turn>) {
    let mut text = "You can call these functions:\n".to_owned();
    for function in &tools.functions {
        let mut described = json!({"name": function.name});
        if !function.description.is_empty() {
            described["description"] = json!(function.description);
        }
        described["parameters"] = function.parameters.value().clone();
        let _ = writeln!(text, "{described}");
    }
    text.push_str(
        "\nReply in JSON. To call functions: {\"calls\": [{\"name\": NAME, \"parameters\": PARAMETERS}]}.",
    );
    if tools.may_answer {
        text.push_str(" To answer without calling any: {\"answer\": ANSWER}.");
    }
    match turns.first_mut() {
        Some(first) if first.role == "system" => {
            first.content.push_str("\n\n");
            first.content.push_str(&text);
        }
        _ => turns.insert(
            0,
            Turn {
                role: "system",
                content: text,
            },
        ),
    }
}

/// The schema of a reply that calls functions, or, where that is allowed, has an answer: a text, or what its own schema says.
pub(super) fn reply_schema(tools: &Tools, answer: Option<&Schema>) -> Value {
    let mut definitions = serde_json::Map::new();
    let mut define = |name: String, schema: &Schema| {
        let place = format!("#/$defs/{name}");
        definitions.insert(name, schema.moved(&place));
        json!({"$ref": place})
    };
    let calls: Vec<Value> = tools
        .functions
        .iter()
        .enumerate()
        .map(|(index, function)| {
            let parameters = define(format!("f{index}"), &function.parameters);
            closed(&json!({"name": {"const": function.name}, "parameters": parameters}))
        })
        .collect();
    let call = match <[Value; 1]>::try_from(calls) {
        Ok([only]) => only,
        Err(calls) => json!({"anyOf": calls}),
    };
    let calls = closed(&json!({
        "calls": {"type": "array", "minItems": 1, "maxItems": tools.most, "items": call}
    }));
    let mut schema = if tools.may_answer {
        let answer = match answer {
            None => json!({"type": "string"}),
            Some(schema) => define("answer".to_owned(), schema),
        };
        json!({"anyOf": [calls, closed(&json!({"answer": answer}))]})
    } else {
        calls
    };
    schema["$defs"] = Value::Object(definitions);
    schema
}

/// An object with exactly these properties, in this order.
fn closed(properties: &Value) -> Value {
    let names: Vec<&String> = properties
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}
