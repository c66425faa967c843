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
        ("top_p", json!(0)),
        ("top_p", json!(1.5)),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(-1)),
        ("max_tokens", json!(1.5)),
        ("max_tokens", json!(65)),
        ("seed", json!(1.5)),
        ("stop", json!(["a", "b", "c", "d", "e"])),
        ("stop", json!([""])),
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
            json!({"role": "assistant", "content": "", "tool_calls": [1]}),
            "messages[0].tool_calls",
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
    ] {
        let refused = refusal(key, value);
        assert_eq!(refused, (key.to_owned(), "unsupported_parameter", 400));
    }
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
}

#[test]
fn a_body_that_is_no_object_is_malformed() {
    for body in [
        "",
        "{",
        "[]",
        "\"text\"",
        "{\"model\": \"tiny\",}",
        "\u{feff}{}",
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
