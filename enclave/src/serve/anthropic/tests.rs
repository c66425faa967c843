mod refusals;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::serve::{arbitrary::json as any_json, event::SseEvent, translated::Translate};

fn with(changes: &[(&str, Value)]) -> Result<Value, ApiError> {
    let mut request = json!({
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    });
    for (key, value) in changes {
        request[*key] = value.clone();
    }
    request::parse(&request)
}

fn weather() -> Value {
    json!({"name": "weather", "description": "d", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}})
}

fn completion(message: &Value, choice: &Value) -> Value {
    let mut choice = choice.clone();
    choice["message"] = message.clone();
    json!({
        "id": "chatcmpl-abc", "created": 7, "model": "m", "choices": [choice],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}},
    })
}

fn chunk(delta: &Value, reason: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-abc", "created": 7, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        "usage": null,
    })
}

fn last() -> Value {
    json!({
        "id": "chatcmpl-abc", "created": 7, "model": "m", "choices": [],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    })
}

fn streamed(chunks: &[Value]) -> Vec<SseEvent> {
    let mut stream = MessagesStream::default();
    let mut events: Vec<SseEvent> = chunks
        .iter()
        .flat_map(|chunk| stream.chunk(chunk))
        .collect();
    events.extend(stream.finish());
    for event in &events {
        assert_eq!(event.data["type"], event.name);
    }
    events
}

fn names(events: &[SseEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.name).collect()
}

#[test]
fn every_parameter_has_its_place_in_the_chat_completion() {
    let request = with(&[
        ("system", json!([{"type": "text", "text": "be ", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "short"}])),
        ("stop_sequences", json!(["x", "y"])),
        ("temperature", json!(0.5)),
        ("top_p", json!(1)),
        ("top_k", json!(40)),
        ("tools", json!([weather()])),
        ("tool_choice", json!({"type": "any", "disable_parallel_tool_use": true})),
        ("output_config", json!({"format": {"type": "json_schema", "schema": {}}})),
        ("stream", json!(true)),
        ("metadata", json!({"user_id": "u"})),
        ("thinking", json!({"type": "disabled"})),
        ("service_tier", json!("auto")),
    ])
    .unwrap();
    let function = json!({"name": "weather", "description": "d", "parameters": {"type": "object"}});
    let chat = json!({
        "model": "m",
        "max_completion_tokens": 9,
        "messages": [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"}],
        "stop": ["x", "y"],
        "temperature": 0.5,
        "top_p": 1,
        "top_k": 40,
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required",
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": {}, "strict": true}},
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(request, chat);
}

#[test]
fn each_choice_of_tools_has_its_word() {
    let named = json!({"type": "function", "function": {"name": "weather"}});
    for (choice, word) in [
        (json!({"type": "auto"}), json!("auto")),
        (json!({"type": "any"}), json!("required")),
        (json!({"type": "none"}), json!("none")),
        (json!({"type": "tool", "name": "weather"}), named),
    ] {
        let request = with(&[("tools", json!([weather()])), ("tool_choice", choice)]).unwrap();
        assert_eq!(request["tool_choice"], word);
    }
}

#[test]
fn blocks_become_messages() {
    let request = with(&[("messages", json!([
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [
            {"type": "text", "text": "c"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
            {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
            {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "two"}], "is_error": true},
            {"type": "text", "text": "and?"},
        ]},
        {"role": "system", "content": "s"},
        {"role": "user", "content": "last"},
    ]))])
    .unwrap();
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let messages = json!([
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": "c", "tool_calls": [call("t1", "{\"x\":1}"), call("t2", "{}")]},
        {"role": "tool", "tool_call_id": "t1", "content": "one"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: two"},
        {"role": "user", "content": "and?"},
        {"role": "system", "content": "s"},
        {"role": "user", "content": "last"},
    ]);
    assert_eq!(request["messages"], messages);
}

#[test]
fn an_error_of_the_chat_completion_speaks_of_this_request() {
    let error = ApiError::invalid("tools[0].function.parameters", "x");
    let error = request::renamed(error);
    assert_eq!(error.parameter.as_deref(), Some("tools[0].input_schema"));
    let error = request::renamed(ApiError::invalid("stop", "stop has 5 entries"));
    assert_eq!(error.message, "stop_sequences has 5 entries");
}

#[test]
fn a_whole_answer_has_blocks() {
    let said = json!({"content": "x", "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
    ]});
    let answer =
        output::whole(&completion(&said, &json!({"finish_reason": "tool_calls"}))).unwrap();
    let expected = json!({
        "id": "msg_abc",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "x"}, {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}],
        "stop_reason": "tool_use",
        "stop_sequence": null,
        "usage": {"input_tokens": 2, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 3, "output_tokens": 2},
    });
    assert_eq!(answer, expected);
}

#[test]
fn each_end_has_its_reason() {
    for (choice, reason, sequence) in [
        (json!({"finish_reason": "stop"}), "end_turn", json!(null)),
        (
            json!({"finish_reason": "stop", "stop_reason": "x"}),
            "stop_sequence",
            json!("x"),
        ),
        (
            json!({"finish_reason": "stop", "stop_reason": 5}),
            "end_turn",
            json!(null),
        ),
        (
            json!({"finish_reason": "length"}),
            "max_tokens",
            json!(null),
        ),
        (
            json!({"finish_reason": "content_filter"}),
            "refusal",
            json!(null),
        ),
    ] {
        let answer = output::whole(&completion(&json!({"content": "x"}), &choice)).unwrap();
        assert_eq!(
            (&answer["stop_reason"], &answer["stop_sequence"]),
            (&json!(reason), &sequence)
        );
    }
}

#[test]
fn a_call_that_was_cut_off_has_no_input_and_another_is_none() {
    let said = json!({"content": null, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":"}},
    ]});
    let cut = output::whole(&completion(&said, &json!({"finish_reason": "length"}))).unwrap();
    assert_eq!(cut["content"][0]["input"], json!({}));
    assert_eq!(
        output::whole(&completion(&said, &json!({"finish_reason": "tool_calls"}))),
        None
    );
    assert_eq!(output::whole(&json!({})), None);
}

#[test]
fn a_streamed_answer_has_all_its_events() {
    let call = json!({"tool_calls": [{"index": 0, "id": "call_0", "type": "function", "function": {"name": "f", "arguments": ""}}]});
    let more =
        |piece: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
    let events = streamed(&[
        chunk(&json!({"role": "assistant", "content": ""}), None),
        chunk(&json!({"content": "a"}), None),
        chunk(&json!({"content": "b"}), None),
        chunk(&call, None),
        chunk(&more("{\"a\":"), None),
        chunk(&more("1}"), None),
        chunk(&json!({}), Some("tool_calls")),
        last(),
    ]);
    assert_eq!(
        names(&events),
        [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(events[0].data["message"]["content"], json!([]));
    assert_eq!(
        events[3].data["delta"],
        json!({"type": "text_delta", "text": "a"})
    );
    let block = json!({"type": "tool_use", "id": "call_0", "name": "f", "input": {}});
    assert_eq!(
        (&events[6].data["index"], &events[6].data["content_block"]),
        (&json!(1), &block)
    );
    let delta = json!({"type": "input_json_delta", "partial_json": "1}"});
    assert_eq!(events[8].data["delta"], delta);
    assert_eq!(events[10].data["delta"]["stop_reason"], "tool_use");
    assert_eq!(events[10].data["usage"]["input_tokens"], 5);
    assert_eq!(events[10].data["usage"]["output_tokens"], 2);
}

#[test]
fn a_stream_that_breaks_ends_with_an_error() {
    let begun = chunk(&json!({"role": "assistant", "content": "a"}), None);
    let events = streamed(std::slice::from_ref(&begun));
    assert_eq!(names(&events).last(), Some(&"error"));
    assert_eq!(events.last().unwrap().data["error"]["type"], "api_error");
    let no_usage = [begun, chunk(&json!({}), Some("stop"))];
    assert_eq!(names(&streamed(&no_usage)).last(), Some(&"error"));
    assert_eq!(names(&streamed(&[])), ["error"]);
}

proptest! {
    #[test]
    fn no_request_no_answer_and_no_chunk_panics(request in any_json(), said in any_json(), chunks in prop::collection::vec(any_json(), 0..4)) {
        let _ = request::parse(&request);
        let _ = with(&[("messages", request.clone()), ("system", said.clone())]);
        let _ = with(&[("messages", json!([{"role": "user", "content": request.clone()}]))]);
        let _ = with(&[("tools", request), ("tool_choice", said.clone())]);
        let _ = output::whole(&said);
        let _ = output::whole(&completion(&said, &json!({"finish_reason": "stop"})));
        let mut stream = MessagesStream::default();
        for delta in &chunks {
            stream.chunk(delta);
            stream.chunk(&chunk(delta, None));
        }
        stream.finish();
    }
}
