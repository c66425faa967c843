#![allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]

use super::*;

const F: &str = r#"{"type": "function", "function": {"name": "f", "description": "adds", "strict": true,
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}}"#;

fn function() -> Value {
    serde_json::from_str(F).unwrap()
}

fn with_tools(choice: Value, parallel: Value) -> Result<Option<Tools>, ApiError> {
    let mut g = function();
    g["function"]["name"] = json!("g");
    let request = json!({
        "model": "tiny", "messages": [{"role": "user", "content": "hi"}],
        "tools": [function(), g], "tool_choice": choice, "parallel_tool_calls": parallel,
    });
    Ok(parse(&request)?.tools)
}

#[test]
fn a_choice_of_tools_says_which_and_whether_one_must_be_called() {
    let allowed = |mode: &str| {
        json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [
            {"type": "function", "function": {"name": "g"}}]}})
    };
    for (choice, parallel, wanted) in [
        (json!(null), json!(null), (&["f", "g"][..], true, 4)),
        (json!("auto"), json!(true), (&["f", "g"], true, 4)),
        (json!("required"), json!(false), (&["f", "g"], false, 1)),
        (
            json!({"type": "function", "function": {"name": "g"}}),
            json!(null),
            (&["g"], false, 4),
        ),
        (allowed("auto"), json!(null), (&["g"], true, 4)),
        (allowed("required"), json!(null), (&["g"], false, 4)),
    ] {
        let tools = with_tools(choice, parallel).unwrap().unwrap();
        let names = tools
            .functions
            .iter()
            .map(|function| function.name.as_str());
        let names: Vec<&str> = names.collect();
        assert_eq!((&names[..], tools.may_answer, tools.most), wanted);
    }
    assert!(with_tools(json!("none"), json!(null)).unwrap().is_none());
    let other = json!({"type": "function", "function": {"name": "h"}});
    let error = with_tools(other, json!(null)).unwrap_err();
    assert_eq!(error.parameter.as_deref(), Some("tool_choice"));
}

#[test]
fn names_what_is_wrong_with_a_tool() {
    let change = |place: &str, value: Value| {
        let mut tool = function();
        *tool.pointer_mut(place).unwrap() = value;
        tool
    };
    for (tools, parameter) in [
        (json!([5]), "tools[0]"),
        (json!([change("/type", json!("custom"))]), "tools[0].type"),
        (json!([{"type": "function"}]), "tools[0].function"),
        (
            json!([change("/function/name", json!(""))]),
            "tools[0].function.name",
        ),
        (
            json!([change("/function/name", json!("a b"))]),
            "tools[0].function.name",
        ),
        (
            json!([change("/function/name", json!("a".repeat(65)))]),
            "tools[0].function.name",
        ),
        (
            json!([change("/function/strict", json!(1))]),
            "tools[0].function.strict",
        ),
        (
            json!([change("/function/description", json!(1))]),
            "tools[0].function.description",
        ),
        (
            json!([change("/function/parameters", json!(1))]),
            "tools[0].function.parameters",
        ),
        (
            json!([change("/function/parameters", json!({"type": "array"}))]),
            "tools[0].function.parameters.type",
        ),
        (
            json!([change("/function/parameters/required", json!("a"))]),
            "tools[0].function.parameters",
        ),
        (json!([function(), function()]), "tools[1].function.name"),
        (json!(vec![function(); 129]), "tools"),
        (
            json!([change("/function/description", json!("a".repeat(300_000)))]),
            "tools",
        ),
    ] {
        assert_eq!(refusal("tools", tools).0, parameter);
    }
}

#[test]
fn a_function_may_have_no_parameters() {
    for parameters in [
        json!(null),
        json!({}),
        json!({"type": "object"}),
        json!({"properties": {}}),
    ] {
        let mut tool = function();
        tool["function"]["parameters"] = parameters;
        let tools = with("tools", json!([tool])).unwrap().tools.unwrap();
        tools.functions[0].parameters.accept("{}").unwrap();
        tools.functions[0].parameters.accept("[]").unwrap_err();
    }
}

#[test]
fn names_what_is_wrong_with_a_format() {
    for (format, parameter) in [
        (json!({}), "response_format.type"),
        (json!({"type": "xml"}), "response_format.type"),
        (
            json!({"type": "json_schema"}),
            "response_format.json_schema",
        ),
        (
            json!({"type": "json_schema", "json_schema": {}}),
            "response_format.json_schema.schema",
        ),
        (
            json!({"type": "json_schema", "json_schema": {"schema": true}}),
            "response_format.json_schema.schema",
        ),
        (
            json!({"type": "json_schema", "json_schema": {"schema": {"type": "nothing"}}}),
            "response_format.json_schema.schema",
        ),
        (
            json!({"type": "json_schema", "json_schema": {"schema": {}, "strict": "yes"}}),
            "response_format.json_schema.strict",
        ),
    ] {
        assert_eq!(refusal("response_format", format).0, parameter);
    }
    let format = with("response_format", json!({"type": "json_object"}))
        .unwrap()
        .format;
    format.unwrap().accept("{}").unwrap();
}

#[test]
fn likelihoods_and_tools_do_not_go_together() {
    let request = json!({
        "model": "tiny", "messages": [{"role": "user", "content": "hi"}], "tools": [function()], "logprobs": true,
    });
    assert_eq!(
        parse(&request).unwrap_err().parameter.as_deref(),
        Some("logprobs")
    );
}

#[test]
fn calls_and_results_are_read() {
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let chat = with(
        "messages",
        json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "3"}]},
        ]),
    )
    .unwrap();
    let result = Message::Tool {
        name: "f".into(),
        content: "3".into(),
    };
    assert_eq!(chat.messages[2], result);
    let Message::Assistant { calls, content } = &chat.messages[1] else {
        panic!("not an assistant");
    };
    assert_eq!((calls[0].arguments.as_str(), content.as_str()), ("{}", ""));
}
