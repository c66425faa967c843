#![allow(
    clippy::needless_pass_by_value,
    clippy::float_cmp,
    reason = "values are written where they are used"
)]

use serde_json::json;

use super::*;

fn chat(choice: Value) -> Value {
    json!({"id": "x", "choices": [choice]})
}

fn text(delta: Value) -> Value {
    chat(json!({"index": 0, "delta": delta, "finish_reason": null}))
}

#[test]
fn reads_what_llama_server_sends() {
    let event = json!({"choices": [{"finish_reason": null, "index": 0, "delta": {"content": "I"}, "logprobs": {"content": [
            {"id": 57, "token": "I", "bytes": [73], "logprob": -2.5, "top_logprobs": [
                {"id": 57, "token": "I", "bytes": [73], "logprob": -2.5}]}]}}],
        "created": 1, "id": "chatcmpl-1", "model": "tiny", "object": "chat.completion.chunk",
        "timings": {"cache_n": 2, "prompt_n": 30, "prompt_ms": 1.5, "predicted_n": 1}});
    let part = Part::read(Endpoint::Chat, &event).unwrap();
    assert_eq!((part.id.as_str(), part.text.as_str()), ("chatcmpl-1", "I"));
    assert_eq!(part.tokens[0].chosen.logprob, -2.5);
    let counts = Counts {
        prompt: 32,
        cached: 2,
        completion: 1,
    };
    assert_eq!((part.finish, part.counts), (None, Some(counts)));

    let last = json!({"id": "1", "choices": [{"text": "", "index": 0, "logprobs": null, "finish_reason": "length"}],
        "usage": {"completion_tokens": 3, "prompt_tokens": 5, "total_tokens": 8, "prompt_tokens_details": {"cached_tokens": 0}}});
    let part = Part::read(Endpoint::Text, &last).unwrap();
    assert_eq!(part.finish, Some(Finish::Length));
    assert_eq!(part.counts.unwrap().completion, 3);
}

#[test]
fn reads_what_vllm_sends() {
    let event = json!({"id": "cmpl-1", "choices": [{"index": 0, "text": "ab", "stop_reason": null, "finish_reason": null, "logprobs": {
        "text_offset": [0, 1], "token_logprobs": [-0.1, null], "tokens": ["a", "b"],
        "top_logprobs": [{"x": -3.0, "a": -0.1}, {"b": -0.2}]}}], "usage": {"prompt_tokens": 4, "completion_tokens": 2}});
    let part = Part::read(Endpoint::Text, &event).unwrap();
    assert_eq!(part.tokens.len(), 2);
    assert_eq!(part.tokens[0].alternatives[0].token, "a");
    assert_eq!(part.tokens[1].chosen.logprob, -9999.0);
    let event =
        text(json!({"role": "assistant", "content": "", "reasoning": null, "tool_calls": []}));
    assert_eq!(Part::read(Endpoint::Chat, &event).unwrap().text, "");
}

#[test]
fn anything_else_is_misshapen() {
    let usage = |usage: Value| json!({"id": "x", "choices": [], "usage": usage});
    for event in [
        json!(null),
        json!("text"),
        json!([]),
        json!({}),
        json!({"id": "x"}),
        json!({"id": 5, "choices": []}),
        json!({"id": "x", "choices": {}}),
        json!({"id": "x", "choices": [], "error": {"message": "no"}}),
        json!({"error": {"code": 500}}),
        chat(json!({"index": 1, "delta": {"content": "a"}})),
        chat(json!({"delta": {"content": "a"}})),
        chat(json!({"index": 0, "delta": "a"})),
        chat(json!({"index": 0})),
        json!({"id": "x", "choices": [{"index": 0, "delta": {}}, {"index": 1, "delta": {}}]}),
        text(json!({"content": 5})),
        text(json!({"content": ["a"]})),
        text(json!({"content": "x".repeat(MAX_PIECE + 1)})),
        text(json!({"role": "user"})),
        text(json!({"tool_calls": [{"index": 0}]})),
        text(json!({"reasoning_content": "hm"})),
        chat(json!({"index": 0, "delta": {}, "finish_reason": "abort"})),
        chat(json!({"index": 0, "delta": {}, "finish_reason": 1})),
        chat(json!({"index": 0, "delta": {}, "logprobs": "a"})),
        chat(json!({"index": 0, "delta": {}, "logprobs": {"content": [{"token": 1}]}})),
        chat(json!({"index": 0, "delta": {}, "logprobs": {"tokens": ["a"], "token_logprobs": []}})),
        usage(json!("many")),
        usage(json!({"prompt_tokens": -1})),
        usage(json!({"prompt_tokens": 1, "completion_tokens": 1u64 << 40})),
    ] {
        assert_eq!(
            Part::read(Endpoint::Chat, &event),
            Err(Misshapen),
            "{event}"
        );
    }
}
