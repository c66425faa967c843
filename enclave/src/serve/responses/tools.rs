//! Tools: functions alone. What OpenAI's own machines would do for a model, nothing here does.

use serde_json::{Map, Value, json};

use crate::serve::{
    error::ApiError,
    fields::{Fields, wrong},
};

/// The most tools of one request, as at OpenAI.
const MAX_TOOLS: usize = 128;

pub(super) fn translate(
    body: &Fields<'_>,
    chat: &mut Map<String, Value>,
    echo: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    let given = at_most(body, "tools")?;
    let mut tools = Vec::with_capacity(given.len());
    for (index, tool) in given.iter().enumerate() {
        tools.push(function(&Fields::at(format!("tools[{index}]"), tool)?)?);
    }
    let choice = choice(body, &mut tools)?;
    let parallel = body.flag("parallel_tool_calls")?;
    if !tools.is_empty() {
        chat.insert("tools".into(), Value::Array(tools));
        if let Some(parallel) = parallel {
            chat.insert("parallel_tool_calls".into(), json!(parallel));
        }
    }
    if let Some(choice) = choice {
        chat.insert("tool_choice".into(), choice);
    }
    echo.insert("tools".into(), given.into());
    let choice = body.given("tool_choice").cloned();
    echo.insert(
        "tool_choice".into(),
        choice.unwrap_or_else(|| json!("auto")),
    );
    echo.insert(
        "parallel_tool_calls".into(),
        json!(parallel.unwrap_or(true)),
    );
    Ok(())
}

/// A list of tools, or none.
fn at_most<'a>(object: &Fields<'a>, key: &str) -> Result<&'a [Value], ApiError> {
    let list = object.list(key)?.map_or(&[][..], Vec::as_slice);
    if list.len() > MAX_TOOLS {
        let name = object.name(key);
        let message = format!(
            "{name} has {} entries; the limit is {MAX_TOOLS}",
            list.len()
        );
        return Err(ApiError::invalid(name, message));
    }
    Ok(list)
}

/// One function, as a chat completion has it.
fn function(tool: &Fields<'_>) -> Result<Value, ApiError> {
    let kind = tool.required_text("type")?;
    if kind != "function" {
        return Err(only_functions(&tool.name("type"), kind));
    }
    tool.only(&[
        "type",
        "name",
        "description",
        "parameters",
        "strict",
        "allowed_callers",
        "async",
        "defer_loading",
    ])?;
    tool.unless("allowed_callers", |value| *value == json!(["direct"]))?;
    tool.unless("async", |value| value == false)?;
    tool.unless("defer_loading", |value| value == false)?;
    let mut function = Map::new();
    function.insert("name".into(), json!(tool.required_text("name")?));
    if let Some(description) = tool.text("description")? {
        function.insert("description".into(), json!(description));
    }
    if let Some(parameters) = tool.given("parameters") {
        function.insert("parameters".into(), parameters.clone());
    }
    if let Some(strict) = tool.flag("strict")? {
        function.insert("strict".into(), json!(strict));
    }
    Ok(json!({"type": "function", "function": function}))
}

fn only_functions(parameter: &str, kind: &str) -> ApiError {
    ApiError::unsupported_because(
        parameter,
        &format!(
            "this server has no tool {:?}; send tools of type function, and call them yourself",
            crate::serve::error::quoted(kind)
        ),
    )
}

/// Which tools may or must be called. `allowed_tools` leaves only those.
fn choice(body: &Fields<'_>, tools: &mut Vec<Value>) -> Result<Option<Value>, ApiError> {
    const WORDS: &str = "\"none\", \"auto\", \"required\" or an object";
    let value = match body.given("tool_choice") {
        None => return Ok(None),
        Some(Value::String(word)) if ["none", "auto", "required"].contains(&word.as_str()) => {
            return Ok(Some(json!(word)));
        }
        Some(Value::String(_)) => return Err(wrong("tool_choice", WORDS)),
        Some(value) => value,
    };
    let choice = Fields::at("tool_choice", value).map_err(|_| wrong("tool_choice", WORDS))?;
    match choice.required_text("type")? {
        "function" => {
            choice.only(&["type", "name"])?;
            let name = known(&choice, tools)?;
            Ok(Some(
                json!({"type": "function", "function": {"name": name}}),
            ))
        }
        "allowed_tools" => {
            choice.only(&["type", "mode", "tools"])?;
            let mode = choice.required_text("mode")?;
            if !["auto", "required"].contains(&mode) {
                return Err(wrong("tool_choice.mode", "\"auto\" or \"required\""));
            }
            keep_allowed(&choice, tools)?;
            Ok(Some(json!(mode)))
        }
        kind => Err(only_functions("tool_choice.type", kind)),
    }
}

fn keep_allowed(choice: &Fields<'_>, tools: &mut Vec<Value>) -> Result<(), ApiError> {
    let list = at_most(choice, "tools")?;
    let mut names = Vec::with_capacity(list.len());
    for (index, tool) in list.iter().enumerate() {
        let tool = Fields::at(format!("tool_choice.tools[{index}]"), tool)?;
        let kind = tool.required_text("type")?;
        if kind != "function" {
            return Err(only_functions(&tool.name("type"), kind));
        }
        names.push(known(&tool, tools)?);
    }
    tools.retain(|tool| name(tool).is_some_and(|name| names.contains(&name)));
    Ok(())
}

/// The name that an object refers to a tool by.
fn known<'a>(reference: &Fields<'a>, tools: &[Value]) -> Result<&'a str, ApiError> {
    let wanted = reference.required_text("name")?;
    if tools.iter().any(|tool| name(tool) == Some(wanted)) {
        Ok(wanted)
    } else {
        Err(wrong(
            &reference.name("name"),
            "the name of one of the tools",
        ))
    }
}

fn name(tool: &Value) -> Option<&str> {
    tool.pointer("/function/name")?.as_str()
}
