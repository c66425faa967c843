//! What is refused, and by which name.

use serde_json::{Value, json};

use super::{weather, with};

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn names_what_is_wrong() {
    let invalid = "invalid_value";
    let unsupported = "unsupported_parameter";
    let missing = "missing_required_parameter";
    let user = |block: Value| json!([{"role": "user", "content": [block]}]);
    let assistant = |block: Value| json!([{"role": "assistant", "content": [block]}, {"role": "user", "content": ""}]);
    for (key, value, parameter, code) in [
        ("model", json!(null), "model", missing),
        ("max_tokens", json!(null), "max_tokens", missing),
        ("max_tokens", json!(0), "max_tokens", invalid),
        ("messages", json!(null), "messages", missing),
        ("messages", json!({}), "messages", invalid),
        ("messages", json!([]), "messages", invalid),
        ("messages", json!([5]), "messages[0]", invalid),
        (
            "messages",
            json!([{"role": "tool", "content": ""}]),
            "messages[0].role",
            invalid,
        ),
        (
            "messages",
            json!([{"role": "user"}]),
            "messages[0].content",
            missing,
        ),
        (
            "messages",
            json!([{"role": "user", "content": 5}]),
            "messages[0].content",
            invalid,
        ),
        (
            "messages",
            json!([{"role": "user", "content": []}]),
            "messages[0].content",
            invalid,
        ),
        (
            "messages",
            json!([{"role": "user", "content": "", "name": "n"}]),
            "messages[0].name",
            unsupported,
        ),
        (
            "messages",
            json!([{"role": "assistant", "content": "so"}]),
            "messages[0].role",
            unsupported,
        ),
        (
            "messages",
            user(json!({"type": "image"})),
            "messages[0].content[0].type",
            unsupported,
        ),
        (
            "messages",
            user(json!({"type": "document"})),
            "messages[0].content[0].type",
            unsupported,
        ),
        (
            "messages",
            user(json!({"type": "tool_use"})),
            "messages[0].content[0].type",
            unsupported,
        ),
        (
            "messages",
            user(json!({"type": "text"})),
            "messages[0].content[0].text",
            missing,
        ),
        (
            "messages",
            user(json!({"type": "text", "text": "", "citations": [1]})),
            "messages[0].content[0].citations",
            unsupported,
        ),
        (
            "messages",
            user(json!({"type": "tool_result"})),
            "messages[0].content[0].tool_use_id",
            missing,
        ),
        (
            "messages",
            user(json!({"type": "tool_result", "tool_use_id": "t"})),
            "messages[0].content[0].tool_use_id",
            invalid,
        ),
        (
            "messages",
            assistant(json!({"type": "thinking"})),
            "messages[0].content[0].type",
            unsupported,
        ),
        (
            "messages",
            assistant(json!({"type": "tool_use", "id": "t"})),
            "messages[0].content[0].input",
            missing,
        ),
        (
            "messages",
            assistant(json!({"type": "tool_use", "id": "t", "input": "{}"})),
            "messages[0].content[0].input",
            invalid,
        ),
        (
            "messages",
            assistant(json!({"type": "tool_use", "id": "t", "input": {}})),
            "messages[0].content[0].name",
            missing,
        ),
        (
            "messages",
            assistant(json!({"type": "tool_use", "caller": {"type": "x"}})),
            "messages[0].content[0].caller",
            unsupported,
        ),
        (
            "messages",
            json!([
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "tool_result", "tool_use_id": "t"}]},
            ]),
            "messages[1].content[1].type",
            invalid,
        ),
        (
            "messages",
            json!([
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image"}]}]},
            ]),
            "messages[1].content[0].content[0].type",
            unsupported,
        ),
        ("system", json!(5), "system", invalid),
        (
            "system",
            json!([{"type": "image"}]),
            "system[0].type",
            unsupported,
        ),
        ("stop_sequences", json!("x"), "stop_sequences", invalid),
        (
            "stop_sequences",
            json!(["x", ""]),
            "stop_sequences[1]",
            invalid,
        ),
        ("temperature", json!(1.5), "temperature", invalid),
        ("top_p", json!(2), "top_p", invalid),
        ("top_k", json!(-1), "top_k", invalid),
        ("stream", json!("yes"), "stream", invalid),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 9}),
            "thinking.type",
            unsupported,
        ),
        ("speed", json!("fast"), "speed", unsupported),
        ("container", json!("c"), "container", unsupported),
        ("mcp_servers", json!([]), "mcp_servers", unsupported),
        (
            "output_config",
            json!({"effort": "high"}),
            "output_config.effort",
            unsupported,
        ),
        (
            "output_config",
            json!({"format": {"type": "xml"}}),
            "output_config.format.type",
            invalid,
        ),
        (
            "output_config",
            json!({"format": {"type": "json_schema"}}),
            "output_config.format.schema",
            missing,
        ),
        (
            "tools",
            json!([{"name": "n"}]),
            "tools[0].input_schema",
            missing,
        ),
        (
            "tools",
            json!([{"input_schema": {}}]),
            "tools[0].name",
            missing,
        ),
        (
            "tools",
            json!([{"type": "bash_20250124", "name": "bash"}]),
            "tools[0].type",
            unsupported,
        ),
        (
            "tools",
            json!([{"name": "n", "input_schema": {}, "input_examples": []}]),
            "tools[0].input_examples",
            unsupported,
        ),
        (
            "tools",
            json!([{"name": "n", "input_schema": {}, "defer_loading": true}]),
            "tools[0].defer_loading",
            unsupported,
        ),
        (
            "tools",
            json!([{"name": "n", "input_schema": {}, "allowed_callers": ["x"]}]),
            "tools[0].allowed_callers",
            unsupported,
        ),
        ("tools", json!(vec![weather(); 129]), "tools", invalid),
        ("tool_choice", json!("auto"), "tool_choice", invalid),
        (
            "tool_choice",
            json!({"type": "required"}),
            "tool_choice.type",
            invalid,
        ),
        (
            "tool_choice",
            json!({"type": "tool"}),
            "tool_choice.name",
            missing,
        ),
        (
            "tool_choice",
            json!({"type": "tool", "name": "f"}),
            "tool_choice.name",
            invalid,
        ),
        (
            "tool_choice",
            json!({"type": "none", "disable_parallel_tool_use": true}),
            "tool_choice.disable_parallel_tool_use",
            unsupported,
        ),
    ] {
        let error = with(&[(key, value.clone())]).unwrap_err();
        let named = (error.parameter.as_deref(), error.code);
        assert_eq!(named, (Some(parameter), code), "{key}: {value}");
    }
}
