//! What is refused, and by which name.

use serde_json::{Value, json};

use super::{weather, with};

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn names_what_is_wrong() {
    let invalid = "invalid_value";
    let unsupported = "unsupported_parameter";
    let missing = "missing_required_parameter";
    let message = |content: Value| json!([{"role": "user", "content": content}]);
    let tools = |tool: Value| json!([tool]);
    for (key, value, parameter, code) in [
        ("model", json!(null), "model", missing),
        ("model", json!(5), "model", invalid),
        ("input", json!(null), "input", missing),
        ("input", json!(5), "input", invalid),
        ("input", json!([]), "input", invalid),
        ("input", json!([5]), "input[0]", invalid),
        ("input", json!([{}]), "input[0].role", missing),
        (
            "input",
            json!([{"role": "tool", "content": ""}]),
            "input[0].role",
            invalid,
        ),
        ("input", message(json!(null)), "input[0].content", missing),
        ("input", message(json!(5)), "input[0].content", invalid),
        (
            "input",
            message(json!([{"type": "input_image"}])),
            "input[0].content[0].type",
            unsupported,
        ),
        (
            "input",
            message(json!([{"type": "input_text"}])),
            "input[0].content[0].text",
            missing,
        ),
        (
            "input",
            json!([{"type": "item_reference", "id": "x"}]),
            "input[0].type",
            unsupported,
        ),
        (
            "input",
            json!([{"type": "reasoning"}]),
            "input[0].type",
            unsupported,
        ),
        (
            "input",
            json!([{"type": "function_call", "call_id": "1"}]),
            "input[0].name",
            missing,
        ),
        (
            "input",
            json!([{"type": "function_call", "call_id": "1", "name": "f", "arguments": {}}]),
            "input[0].arguments",
            invalid,
        ),
        (
            "input",
            json!([{"type": "function_call", "namespace": "n", "call_id": "1", "name": "f", "arguments": ""}]),
            "input[0].namespace",
            unsupported,
        ),
        (
            "input",
            json!([{"type": "function_call_output", "call_id": "1", "output": ""}]),
            "input[0].call_id",
            invalid,
        ),
        ("instructions", json!(["x"]), "instructions", invalid),
        (
            "previous_response_id",
            json!("resp_1"),
            "previous_response_id",
            unsupported,
        ),
        ("conversation", json!("conv_1"), "conversation", unsupported),
        ("background", json!(true), "background", unsupported),
        ("store", json!("no"), "store", invalid),
        ("stream", json!(1), "stream", invalid),
        (
            "include",
            json!(["reasoning.encrypted_content"]),
            "include",
            unsupported,
        ),
        (
            "reasoning",
            json!({"effort": "high"}),
            "reasoning.effort",
            unsupported,
        ),
        (
            "reasoning",
            json!({"summary": "auto"}),
            "reasoning.summary",
            unsupported,
        ),
        ("truncation", json!("auto"), "truncation", unsupported),
        ("top_logprobs", json!(3), "top_logprobs", unsupported),
        (
            "stream_options",
            json!({"include_obfuscation": true}),
            "stream_options.include_obfuscation",
            unsupported,
        ),
        ("prompt", json!({"id": "p"}), "prompt", unsupported),
        ("nonsense", json!(1), "nonsense", unsupported),
        ("max_output_tokens", json!(0), "max_output_tokens", invalid),
        ("temperature", json!(3), "temperature", invalid),
        ("top_p", json!(-1), "top_p", invalid),
        ("metadata", json!({"a": 1}), "metadata", invalid),
        (
            "metadata",
            json!({"a": "x".repeat(513)}),
            "metadata",
            invalid,
        ),
        ("user", json!(5), "user", invalid),
        (
            "text",
            json!({"verbosity": "low"}),
            "text.verbosity",
            unsupported,
        ),
        (
            "text",
            json!({"format": {"type": "xml"}}),
            "text.format.type",
            invalid,
        ),
        (
            "text",
            json!({"format": {"type": "json_schema", "schema": {}}}),
            "text.format.name",
            missing,
        ),
        (
            "text",
            json!({"format": {"type": "json_schema", "name": "n"}}),
            "text.format.schema",
            missing,
        ),
        ("tools", json!({}), "tools", invalid),
        ("tools", json!(vec![weather(); 129]), "tools", invalid),
        (
            "tools",
            tools(json!({"type": "web_search"})),
            "tools[0].type",
            unsupported,
        ),
        (
            "tools",
            tools(json!({"type": "function"})),
            "tools[0].name",
            missing,
        ),
        (
            "tools",
            tools(json!({"type": "function", "name": "f", "defer_loading": true})),
            "tools[0].defer_loading",
            unsupported,
        ),
        (
            "tools",
            tools(json!({"type": "function", "name": "f", "allowed_callers": ["programmatic"]})),
            "tools[0].allowed_callers",
            unsupported,
        ),
        (
            "tools",
            tools(json!({"type": "function", "name": "f", "async": true})),
            "tools[0].async",
            unsupported,
        ),
        (
            "tools",
            tools(json!({"type": "function", "name": "f", "odd": true})),
            "tools[0].odd",
            unsupported,
        ),
        ("tool_choice", json!("any"), "tool_choice", invalid),
        ("tool_choice", json!(5), "tool_choice", invalid),
        (
            "tool_choice",
            json!({"type": "web_search_preview"}),
            "tool_choice.type",
            unsupported,
        ),
        (
            "tool_choice",
            json!({"type": "function", "name": "f"}),
            "tool_choice.name",
            invalid,
        ),
        (
            "tool_choice",
            json!({"type": "allowed_tools", "mode": "none", "tools": []}),
            "tool_choice.mode",
            invalid,
        ),
        (
            "tool_choice",
            json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}),
            "tool_choice.tools[0].type",
            unsupported,
        ),
        (
            "tool_choice",
            json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}),
            "tool_choice.tools[0].name",
            invalid,
        ),
    ] {
        let error = with(&[(key, value.clone())]).unwrap_err();
        let named = (error.parameter.as_deref(), error.code);
        assert_eq!(named, (Some(parameter), code), "{key}: {value}");
    }
}
