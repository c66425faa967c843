use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::engine::fake;

fn parse(request: &Value) -> Result<Chat, ApiError> {
    Chat::parse(
        request.to_string().as_bytes(),
        &fake::measured().configuration,
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

fn message(role: &str, content: &str) -> Message {
    Message {
        role: role.into(),
        content: content.into(),
    }
}

#[test]
fn a_small_request_gets_the_defaults() {
    let chat = with("user", json!("ignored")).unwrap();
    assert_eq!(chat.delivery, Delivery::Whole);
    assert_eq!(
        chat.question.prompt,
        Prompt::Conversation(vec![message("user", "hi")])
    );
    assert_eq!(
        chat.question.sampling,
        Sampling {
            max_tokens: 16,
            temperature: 1.0,
            top_p: 1.0,
            seed: 77,
            stop: Vec::new()
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
        "temperature": 0, "top_p": 0.5, "seed": 7, "stop": ["x", "y"], "max_completion_tokens": 3, "max_tokens": 9,
        "stream": true, "stream_options": {"include_usage": true},
        "n": 1, "tools": [], "response_format": {"type": "text"}, "logprobs": false, "presence_penalty": 0.0,
        "tool_choice": null,
    }))
    .unwrap();
    assert_eq!(chat.delivery, Delivery::Stream { with_usage: true });
    assert_eq!(
        chat.question.prompt,
        Prompt::Conversation(vec![message("system", "short"), message("user", "ab")])
    );
    let sampling = chat.question.sampling;
    assert_eq!((sampling.max_tokens, sampling.seed), (3, 7));
    assert_eq!(sampling.stop, ["x", "y"]);
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
        ("model", json!(5)),
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
            json!({"role": "tool", "content": ""}),
            "messages[0].role",
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
            json!({"role": "assistant", "content": "", "tool_calls": [1]}),
            "messages[0].tool_calls",
            "unsupported_parameter",
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
        ("n", json!(2)),
        ("tools", json!([{"type": "function"}])),
        ("tool_choice", json!("required")),
        ("response_format", json!({"type": "json_object"})),
        ("logprobs", json!(true)),
        ("logit_bias", json!({"5": 1})),
        ("presence_penalty", json!(1)),
        ("top_k", json!(40)),
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
        ("repeat_penalty", json!(1.1)),
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
        assert_eq!(with(key, value.clone()), Ok(plain.clone()), "{key} {value}");
    }
}

/// The reference's table of keys, each with a value that it says is taken.
#[test]
fn the_reference_lists_what_passes() {
    let reference = include_str!("../../../../docs/reference/enclave.md");
    let (_, table) = reference.split_once("| keys | taken |\n").unwrap();
    let mut tried = 0;
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let (keys, taken) = row
            .trim_matches(['|', ' '])
            .split_once(" | ")
            .unwrap_or_default();
        if keys.starts_with("in ") {
            continue;
        }
        let value = match taken {
            "1" => json!(1),
            "0" | "0 or -1: off" => json!(0),
            "false" => json!(false),
            "true" => json!(true),
            "empty" => json!([]),
            any if any.starts_with("with any value") => json!("any"),
            _ => continue,
        };
        for key in keys.split('`').skip(1).step_by(2) {
            tried += 1;
            with(key, value.clone()).unwrap_or_else(|error| panic!("{key}: {error:?}"));
        }
    }
    assert!(tried > 60, "the table has {tried} keys");
}

#[test]
fn tools_that_may_not_be_called_pass() {
    let mut request = json!({
        "model": "tiny", "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none",
        "functions": [{"name": "f"}], "function_call": "none",
    });
    parse(&request).unwrap();
    for (key, value) in [("tool_choice", "auto"), ("function_call", "auto")] {
        let before = request[key].take();
        request[key] = json!(value);
        assert_eq!(parse(&request).unwrap_err().code, "unsupported_parameter");
        request[key] = before;
    }
}

#[test]
fn top_p_is_from_0_to_1_with_both() {
    for top_p in [0.0, 0.5, 1.0] {
        let found = with("top_p", json!(top_p)).unwrap().question.sampling.top_p;
        assert!((f64::from(found) - top_p).abs() < 1e-6);
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
            assert_eq!(chat.question.sampling.max_tokens, given, "{wanted}");
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
    let Prompt::Conversation(messages) = chat.question.prompt else {
        panic!("not a conversation");
    };
    let contents: Vec<_> = messages
        .iter()
        .map(|message| message.content.as_str())
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
            parse(&request).unwrap().delivery,
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
fn another_model_is_not_found() {
    let refused = refusal("model", json!("gpt-4o"));
    assert_eq!(refused, ("model".to_owned(), "model_not_found", 404));
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
    assert_eq!(with("seed", json!(-1)).unwrap().question.sampling.seed, 0);
    assert_eq!(with("seed", json!(42)).unwrap().question.sampling.seed, 42);
    assert_eq!(
        with("seed", json!(42.0)).unwrap().question.sampling.seed,
        42
    );
    with("seed", json!(u64::MAX)).unwrap();
}

#[test]
fn a_body_that_is_no_object_is_malformed() {
    for body in [
        "",
        "{",
        "[]",
        "\"text\"",
        "{\"model\": \"tiny\",}",
        "\u{feff}[]",
    ] {
        let configuration = fake::measured().configuration;
        let error = Chat::parse(body.as_bytes(), &configuration, 0).unwrap_err();
        assert_eq!(
            (error.code, error.status.as_u16()),
            ("invalid_json", 400),
            "{body}"
        );
    }
}

proptest! {
    #[test]
    fn hostile_bodies_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = Chat::parse(&bytes, &fake::measured().configuration, 0);
    }
}
