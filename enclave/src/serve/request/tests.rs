#![allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::engine::fake;

fn parse(request: &Value) -> Result<Chat, ApiError> {
    let configuration = fake::measured().configuration;
    let request = request.as_object().unwrap();
    Chat::parse(
        request,
        &configuration.models[0],
        &configuration.serving,
        77,
    )
}

fn parse_text(request: &Value) -> Result<Text, ApiError> {
    let configuration = fake::measured().configuration;
    let request = request.as_object().unwrap();
    Text::parse(
        request,
        &configuration.models[0],
        &configuration.serving,
        77,
    )
}

fn with(key: &str, value: Value) -> Result<Chat, ApiError> {
    let mut request = json!({"model": "tiny", "messages": [{"role": "user", "content": "hi"}]});
    request[key] = value;
    parse(&request)
}

fn refusal(key: &str, value: Value) -> (String, &'static str, u16) {
    let error = with(key, value).unwrap_err();
    (
        error.parameter.unwrap_or_default(),
        error.code,
        error.status.as_u16(),
    )
}

#[test]
fn a_small_request_gets_the_defaults() {
    let chat = with("user", json!("ignored")).unwrap();
    assert_eq!(chat.messages, [Message::User("hi".into())]);
    assert!(chat.tools.is_none() && chat.format.is_none());
    assert_eq!(
        chat.request,
        Request {
            sampling: Sampling {
                temperature: 1.0,
                top_p: 1.0,
                top_k: 0,
                min_p: 0.0,
                frequency_penalty: 0.0,
                presence_penalty: 0.0,
                repetition_penalty: 1.0,
                logit_bias: Vec::new(),
                seed: 77,
                stop: Vec::new(),
                max_tokens: 16,
            },
            choices: 1,
            logprobs: None,
            delivery: Delivery::Whole,
        }
    );
}

#[test]
fn reads_every_parameter_it_supports() {
    let chat = parse(&json!({
        "model": "tiny",
        "messages": [
            {"role": "developer", "content": "short"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        ],
        "temperature": 0, "top_p": 0.5, "top_k": 40, "min_p": 0.25, "frequency_penalty": -2, "presence_penalty": 2,
        "repetition_penalty": 1.5, "logit_bias": {"5": -100, "7": 1.5}, "seed": 7, "stop": ["x", "y"], "n": 16,
        "max_completion_tokens": 3, "max_tokens": 9, "logprobs": true, "top_logprobs": 20,
        "stream": true, "stream_options": {"include_usage": true},
        "tools": [], "response_format": {"type": "text"}, "tool_choice": null,
    }))
    .unwrap();
    let messages = [Message::System("short".into()), Message::User("ab".into())];
    assert_eq!(chat.messages, messages);
    assert_eq!(
        chat.request,
        Request {
            sampling: Sampling {
                temperature: 0.0,
                top_p: 0.5,
                top_k: 40,
                min_p: 0.25,
                frequency_penalty: -2.0,
                presence_penalty: 2.0,
                repetition_penalty: 1.5,
                logit_bias: vec![(5, -100.0), (7, 1.5)],
                seed: 7,
                stop: vec!["x".into(), "y".into()],
                max_tokens: 3,
            },
            choices: 16,
            logprobs: Some(20),
            delivery: Delivery::Stream { with_usage: true },
        }
    );
}

#[test]
fn each_choice_has_a_seed_of_its_own() {
    let sampling = with("seed", json!(0x7fff_ffff)).unwrap().request.sampling;
    let seeds = [0, 1, 2].map(|choice| sampling.of_choice(choice).seed);
    assert_eq!(seeds, [0x7fff_ffff, 0, 1]);
}

#[test]
fn names_the_parameter_out_of_range() {
    for (key, value) in [
        ("temperature", json!(-5)),
        ("temperature", json!(2.1)),
        ("temperature", json!("hot")),
        ("top_p", json!(-0.1)),
        ("top_p", json!(1.5)),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(-2)),
        ("max_tokens", json!(-1.5)),
        ("max_tokens", json!(1.5)),
        ("max_tokens", json!("3")),
        ("max_completion_tokens", json!(0.0)),
        ("seed", json!(1.5)),
        ("seed", json!(1e30)),
        ("stop", json!(["a", "b", "c", "d", "e"])),
        ("stop", json!([""])),
        ("stop", json!("")),
        ("stop", json!(["a", 5])),
        ("stop", json!("x".repeat(257))),
        ("stop", json!(5)),
        ("stream", json!("yes")),
        ("messages", json!([])),
        ("messages", json!("hi")),
        ("messages", json!(vec![0; 2049])),
        ("top_k", json!(-2)),
        ("top_k", json!(1.5)),
        ("min_p", json!(1.1)),
        ("frequency_penalty", json!(-2.1)),
        ("presence_penalty", json!(2.1)),
        ("repetition_penalty", json!(0)),
        ("repeat_penalty", json!(3)),
        ("logit_bias", json!({"5": 101})),
        ("logit_bias", json!({"a": 1})),
        ("logit_bias", json!({"-1": 1})),
        ("logit_bias", json!({"4294967295": 1})),
        ("logit_bias", json!([[5, 1]])),
        ("n", json!(0)),
        ("n", json!(17)),
        ("logprobs", json!(5)),
        ("top_logprobs", json!(21)),
        ("top_logprobs", json!(5)),
        ("tools", json!({})),
        ("tool_choice", json!("any")),
        ("tool_choice", json!("required")),
        ("tool_choice", json!({"type": "function"})),
        (
            "tool_choice",
            json!({"type": "function", "function": {"name": "f"}}),
        ),
        (
            "tool_choice",
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}),
        ),
        (
            "tool_choice",
            json!({"type": "custom", "custom": {"name": "f"}}),
        ),
        ("parallel_tool_calls", json!("yes")),
        ("response_format", json!("json")),
    ] {
        let refused = refusal(key, value.clone());
        assert_eq!(refused, (key.to_owned(), "invalid_value", 400), "{value}");
    }
}

#[test]
fn names_the_message_at_fault() {
    for (message, parameter, code) in [
        (json!(5), "messages[0]", "invalid_value"),
        (
            json!({"role": "function", "content": ""}),
            "messages[0].role",
            "invalid_value",
        ),
        (
            json!({"role": "tool", "content": ""}),
            "messages[0].tool_call_id",
            "missing_required_parameter",
        ),
        (
            json!({"role": "tool", "content": "", "tool_call_id": "c"}),
            "messages[0].tool_call_id",
            "invalid_value",
        ),
        (
            json!({"content": ""}),
            "messages[0].role",
            "missing_required_parameter",
        ),
        (
            json!({"role": "user"}),
            "messages[0].content",
            "missing_required_parameter",
        ),
        (
            json!({"role": "user", "content": 5}),
            "messages[0].content",
            "invalid_value",
        ),
        (
            json!({"role": "user", "content": [{"type": "image_url"}]}),
            "messages[0].content[0].type",
            "invalid_value",
        ),
        (
            json!({"role": "user", "content": null}),
            "messages[0].content",
            "missing_required_parameter",
        ),
        (
            json!({"role": "assistant"}),
            "messages[0].content",
            "missing_required_parameter",
        ),
        (
            json!({"role": "user", "content": [{"type": "input_audio"}]}),
            "messages[0].content[0].type",
            "invalid_value",
        ),
        (
            json!({"role": "user", "content": [{"type": "file"}]}),
            "messages[0].content[0].type",
            "invalid_value",
        ),
        (
            json!({"role": "assistant", "content": "", "tool_calls": [1]}),
            "messages[0].tool_calls[0]",
            "invalid_value",
        ),
        (
            json!({"role": "assistant", "tool_calls": [{"type": "custom"}]}),
            "messages[0].tool_calls[0].type",
            "invalid_value",
        ),
        (
            json!({"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f"}}]}),
            "messages[0].tool_calls[0].function.arguments",
            "missing_required_parameter",
        ),
        (
            json!({"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}]}),
            "messages[0].tool_calls[0].function.arguments",
            "invalid_value",
        ),
        (
            json!({"role": "assistant", "content": null, "function_call": {"name": "f"}}),
            "messages[0].function_call",
            "unsupported_parameter",
        ),
        (
            json!({"role": "assistant", "content": "a", "prefix": true}),
            "messages[0].prefix",
            "unsupported_parameter",
        ),
        (
            json!({"role": "assistant", "content": "a", "partial": true}),
            "messages[0].partial",
            "unsupported_parameter",
        ),
    ] {
        let refused = refusal("messages", json!([message]));
        assert_eq!(refused, (parameter.to_owned(), code, 400));
    }
}

#[test]
fn says_so_when_it_cannot_do_what_is_asked() {
    for (key, value) in [
        // vLLM's.
        ("guided_choice", json!(["positive", "negative"])),
        ("guided_json", json!({"type": "object"})),
        ("guided_regex", json!("a+")),
        ("guided_grammar", json!("root ::= x")),
        ("structured_outputs", json!({"choice": ["a"]})),
        ("continue_final_message", json!(true)),
        ("add_generation_prompt", json!(false)),
        ("add_special_tokens", json!(true)),
        ("chat_template", json!("{{ messages }}")),
        ("chat_template_kwargs", json!({"enable_thinking": false})),
        ("min_tokens", json!(8)),
        ("ignore_eos", json!(true)),
        ("stop_token_ids", json!([2])),
        ("bad_words", json!(["no"])),
        ("allowed_token_ids", json!([1])),
        ("use_beam_search", json!(true)),
        ("echo", json!(true)),
        ("skip_special_tokens", json!(false)),
        ("include_stop_str_in_output", json!(true)),
        ("truncate_prompt_tokens", json!(8)),
        ("prompt_logprobs", json!(1)),
        ("length_penalty", json!(2.0)),
        // llama-server's and Ollama's.
        ("grammar", json!("root ::= x")),
        ("json_schema", json!({})),
        ("mirostat", json!(2)),
        ("typical_p", json!(0.9)),
        ("dry_multiplier", json!(0.8)),
        ("samplers", json!(["top_k"])),
        ("n_predict", json!(8)),
        ("options", json!({"num_predict": 8})),
        ("format", json!("json")),
        // Others', and some unknown ones.
        ("regex", json!("a+")),
        ("reasoning_effort", json!("high")),
        ("enable_thinking", json!(true)),
        ("web_search_options", json!({})),
        ("audio", json!({"voice": "alloy"})),
        ("a_key_of_next_year", json!(false)),
    ] {
        let refused = refusal(key, value);
        assert_eq!(refused, (key.to_owned(), "unsupported_parameter", 400));
    }
}

#[test]
fn a_key_that_wishes_for_nothing_passes() {
    let plain = with("user", Value::Null).unwrap();
    for (key, value) in [
        ("top_p", json!(1)),
        ("top_k", json!(-1)),
        ("top_k", json!(0)),
        ("min_p", json!(0)),
        ("repetition_penalty", json!(1)),
        ("store", json!(true)),
        ("metadata", json!({"session": "1"})),
        ("prediction", json!({"type": "content", "content": "hi"})),
        ("service_tier", json!("auto")),
        ("prompt_cache_key", json!("k")),
        ("safety_identifier", json!("me")),
        ("cache_prompt", json!(true)),
        ("continue_final_message", json!(false)),
        ("add_generation_prompt", json!(true)),
        ("guided_choice", json!(null)),
        ("chat_template_kwargs", json!({})),
        ("reasoning_effort", json!("none")),
        ("max_tokens", json!(null)),
        ("a_key_of_next_year", json!(null)),
    ] {
        let chat = with(key, value.clone()).unwrap();
        assert_eq!(chat.request, plain.request, "{key} {value}");
        assert!(chat.tools.is_none() && chat.format.is_none());
    }
}

/// The reference names every key that is known, and every code of an error.
#[test]
fn the_reference_names_every_key() {
    let reference = include_str!("../../../../docs/reference/api.md");
    let tables = [
        keys::COMMON,
        keys::CHAT,
        keys::TEXT,
        keys::STREAM,
        keys::MESSAGE,
    ];
    for (key, _) in tables.iter().copied().flatten() {
        assert!(reference.contains(&format!("`{key}`")), "{key}");
    }
    let errors = include_str!("../error.rs");
    for code in errors
        .split('"')
        .filter(|word| word.contains('_') && !word.contains(' '))
    {
        assert!(reference.contains(&format!("`{code}`")), "{code}");
    }
}

#[test]
fn tools_that_may_not_be_called_pass() {
    let mut request = json!({
        "model": "tiny", "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none",
        "functions": [{"name": "f"}], "function_call": "none",
    });
    parse(&request).unwrap();
    assert!(parse(&request).unwrap().tools.is_none());
    request["function_call"] = json!("auto");
    assert_eq!(parse(&request).unwrap_err().code, "unsupported_parameter");
}

#[test]
fn top_p_is_from_0_to_1_with_both() {
    for top_p in [0.0, 0.5, 1.0] {
        let found = with("top_p", json!(top_p)).unwrap().request.sampling.top_p;
        assert!((found - top_p).abs() < 1e-9);
    }
}

#[test]
fn more_tokens_than_the_context_has_are_as_many_as_it_has() {
    for (wanted, given) in [
        (json!(3), 3),
        (json!(3.0), 3),
        (json!(64), 64),
        (json!(65), 64),
        (json!(32000), 64),
        (json!(u64::MAX), 64),
        (json!(1e30), 64),
        (json!(-1), 64),
        (json!(null), 16),
    ] {
        for key in ["max_tokens", "max_completion_tokens"] {
            let chat = with(key, wanted.clone()).unwrap();
            assert_eq!(chat.request.sampling.max_tokens, given, "{wanted}");
        }
    }
}

#[test]
fn a_history_of_the_clients_own_making_passes() {
    let chat = with(
        "messages",
        json!([
            {"role": "user", "content": "a", "id": "1", "name": "me"},
            {"role": "assistant", "content": null, "refusal": "no", "annotations": [], "audio": null},
            {"role": "user", "content": "b"},
            {"role": "assistant", "content": "c", "tool_calls": [], "function_call": null, "prefix": false},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "never"}]},
            {"role": "user", "content": [{"type": "text", "text": "d", "cache_control": {"type": "ephemeral"}}]},
        ]),
    )
    .unwrap();
    let contents: Vec<_> = chat
        .messages
        .iter()
        .map(|message| match message {
            Message::User(content) | Message::Assistant { content, .. } => content.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(contents, ["a", "no", "b", "c", "", "never", "d"]);
}

#[test]
fn an_empty_stop_text_is_named() {
    for stop in [json!(""), json!(["a", ""])] {
        let error = with("stop", stop).unwrap_err();
        assert!(error.message.contains("empty string"), "{}", error.message);
    }
}

#[test]
fn a_promise_about_the_stream_is_not_ignored() {
    for (options, refused) in [
        (
            json!({"include_obfuscation": true}),
            "stream_options.include_obfuscation",
        ),
        (
            json!({"continuous_usage_stats": true}),
            "stream_options.continuous_usage_stats",
        ),
        (
            json!({"a_key_of_next_year": true}),
            "stream_options.a_key_of_next_year",
        ),
    ] {
        let mut request = json!({"model": "tiny", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
        request["stream_options"] = options;
        assert_eq!(
            parse(&request).unwrap_err().parameter.as_deref(),
            Some(refused)
        );
        request["stream_options"] = json!({"include_usage": true, "include_obfuscation": false});
        assert_eq!(
            parse(&request).unwrap().request.delivery,
            Delivery::Stream { with_usage: true }
        );
    }
}

#[test]
fn a_long_key_is_not_repeated_in_full() {
    let error = with(&"k".repeat(1000), json!(1)).unwrap_err();
    assert!(error.message.len() < 250 && error.parameter.unwrap().len() < 250);
}

#[test]
fn stream_options_want_a_stream() {
    let refused = refusal("stream_options", json!({"include_usage": true}));
    assert_eq!(refused.0, "stream_options");
}

#[test]
fn a_long_role_is_not_repeated_in_full() {
    let error = with(
        "messages",
        json!([{"role": "é".repeat(1000), "content": ""}]),
    )
    .unwrap_err();
    assert!(error.message.len() < 250, "{}", error.message);
}

#[test]
fn a_negative_seed_is_a_seed() {
    assert_eq!(with("seed", json!(-1)).unwrap().request.sampling.seed, 0);
    assert_eq!(with("seed", json!(42)).unwrap().request.sampling.seed, 42);
    assert_eq!(with("seed", json!(42.0)).unwrap().request.sampling.seed, 42);
    with("seed", json!(u64::MAX)).unwrap();
}

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

fn text_with(key: &str, value: Value) -> Result<Text, ApiError> {
    let mut request = json!({"model": "tiny", "prompt": "Once"});
    request[key] = value;
    parse_text(&request)
}

#[test]
fn a_text_completion_takes_one_text_or_several() {
    let text = text_with("logprobs", json!(5)).unwrap();
    assert_eq!(
        (text.prompts, text.request.logprobs, text.echo),
        (vec!["Once".to_owned()], Some(5), false)
    );
    let text = text_with("prompt", json!(["a", ""])).unwrap();
    assert_eq!(text.prompts, ["a", ""]);
    assert!(text_with("echo", json!(true)).unwrap().echo);
    assert_eq!(
        text_with("logprobs", json!(false))
            .unwrap()
            .request
            .logprobs,
        None
    );
}

#[test]
fn names_what_is_wrong_with_a_text_completion() {
    for (key, value, code) in [
        ("prompt", json!(null), "missing_required_parameter"),
        ("prompt", json!([]), "invalid_value"),
        ("prompt", json!([1, 2]), "invalid_value"),
        ("prompt", json!([[1, 2]]), "invalid_value"),
        ("prompt", json!(["a", {}]), "invalid_value"),
        ("prompt", json!(vec!["a"; 129]), "invalid_value"),
        ("prompt", json!({}), "invalid_value"),
        ("logprobs", json!(6), "invalid_value"),
        ("logprobs", json!(true), "invalid_value"),
        ("echo", json!("yes"), "invalid_value"),
        ("suffix", json!("end"), "unsupported_parameter"),
        ("best_of", json!(2), "unsupported_parameter"),
        ("messages", json!([]), "unsupported_parameter"),
        ("tools", json!([]), "unsupported_parameter"),
    ] {
        let error = text_with(key, value.clone()).unwrap_err();
        assert_eq!(
            (error.parameter.as_deref(), error.code),
            (Some(key), code),
            "{value}"
        );
    }
    let both = json!({"model": "tiny", "prompt": "a", "echo": true, "logprobs": 1});
    assert_eq!(
        parse_text(&both).unwrap_err().parameter.as_deref(),
        Some("echo")
    );
}

#[test]
fn ten_thousand_stop_strings_are_counted_and_refused() {
    let error = with("stop", json!(vec!["a"; 10_000])).unwrap_err();
    assert!(error.message.contains("10000 strings"), "{}", error.message);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z$#/é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inside| {
        let key = prop_oneof![
            "[a-z$]{1,6}",
            prop::sample::select(vec![
                "role",
                "content",
                "type",
                "function",
                "name",
                "parameters",
                "json_schema",
                "schema",
                "properties",
                "$ref",
                "anyOf",
                "tool_calls",
                "id",
            ])
            .prop_map(str::to_owned),
        ];
        prop_oneof![
            prop::collection::vec(inside.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key, inside, 0..4)
                .prop_map(|table| Value::Object(table.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn hostile_values_never_panic(value in any_json(), key in 0usize..40) {
        let tables = [keys::COMMON, keys::CHAT, keys::TEXT];
        let known: Vec<&str> = tables.iter().copied().flatten().filter(|(_, taken)| matches!(taken, keys::Taken::Read)).map(|(key, _)| *key).collect();
        let key = known[key % known.len()];
        let _ = with(key, value.clone());
        let _ = text_with(key, value.clone());
        let _ = with("response_format", json!({"type": "json_schema", "json_schema": {"schema": value}}));
    }
}
