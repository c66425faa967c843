#![allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]

mod hostile;
mod text;
mod tools;

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
    let reference = concat!(
        include_str!("../../../../docs/reference/api.md"),
        include_str!("../../../../docs/spec/relay.md")
    );
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

#[test]
fn ten_thousand_stop_strings_are_counted_and_refused() {
    let error = with("stop", json!(vec!["a"; 10_000])).unwrap_err();
    assert!(error.message.contains("10000 strings"), "{}", error.message);
}
