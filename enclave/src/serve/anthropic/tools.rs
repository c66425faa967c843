//! Tools: the client's own alone. What Anthropic's own machines would do for a model, nothing here does.

use serde_json::{Map, Value, json};

use crate::serve::{
    error::{ApiError, quoted},
    fields::{Fields, wrong},
};

/// The most tools of one request.
const MAX_TOOLS: usize = 128;

pub(super) fn translate(body: &Fields<'_>, chat: &mut Map<String, Value>) -> Result<(), ApiError> {
    let list = body.list("tools")?.map_or(&[][..], Vec::as_slice);
    if list.len() > MAX_TOOLS {
        let message = format!("tools has {} entries; the limit is {MAX_TOOLS}", list.len());
        return Err(ApiError::invalid("tools", message));
    }
    let mut tools = Vec::with_capacity(list.len());
    for (index, tool) in list.iter().enumerate() {
        tools.push(function(&Fields::at(format!("tools[{index}]"), tool)?)?);
    }
    if let Some(choice) = body.below("tool_choice")? {
        choose(&choice, &tools, chat)?;
    }
    if tools.is_empty() {
        chat.remove("parallel_tool_calls");
    } else {
        chat.insert("tools".into(), Value::Array(tools));
    }
    Ok(())
}

/// One tool, as a chat completion has it.
fn function(tool: &Fields<'_>) -> Result<Value, ApiError> {
    if let Some(kind) = tool.text("type")?
        && kind != "custom"
    {
        return Err(ApiError::unsupported_because(
            &tool.name("type"),
            &format!(
                "this server has no tool {:?}; send tools of your own, and call them yourself",
                quoted(kind)
            ),
        ));
    }
    tool.only(&[
        "type",
        "name",
        "description",
        "input_schema",
        "strict",
        "cache_control",
        "eager_input_streaming",
        "allowed_callers",
        "defer_loading",
    ])?;
    tool.unless("allowed_callers", |value| *value == json!(["direct"]))?;
    tool.unless("defer_loading", |value| value == false)?;
    let schema = tool.required("input_schema", tool.given("input_schema"))?;
    let mut function = Map::new();
    function.insert("name".into(), json!(tool.required_text("name")?));
    function.insert("parameters".into(), schema.clone());
    if let Some(description) = tool.text("description")? {
        function.insert("description".into(), json!(description));
    }
    if let Some(strict) = tool.flag("strict")? {
        function.insert("strict".into(), json!(strict));
    }
    Ok(json!({"type": "function", "function": function}))
}

/// Which tools may or must be called.
fn choose(
    choice: &Fields<'_>,
    tools: &[Value],
    chat: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    let chosen = match choice.required_text("type")? {
        "auto" => json!("auto"),
        "any" => json!("required"),
        "none" => json!("none"),
        "tool" => {
            let name = choice.required_text("name")?;
            let mut names = tools
                .iter()
                .filter_map(|tool| tool.pointer("/function/name"));
            if !names.any(|known| known == name) {
                return Err(wrong(&choice.name("name"), "the name of one of the tools"));
            }
            json!({"type": "function", "function": {"name": name}})
        }
        _ => {
            let name = choice.name("type");
            return Err(wrong(&name, "\"auto\", \"any\", \"tool\" or \"none\""));
        }
    };
    choice.only(match choice.text("type")? {
        Some("tool") => &["type", "name", "disable_parallel_tool_use"],
        Some("none") => &["type"],
        _ => &["type", "disable_parallel_tool_use"],
    })?;
    if let Some(disabled) = choice.flag("disable_parallel_tool_use")? {
        chat.insert("parallel_tool_calls".into(), json!(!disabled));
    }
    chat.insert("tool_choice".into(), chosen);
    Ok(())
}
