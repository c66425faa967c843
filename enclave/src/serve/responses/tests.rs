mod refusals;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::serve::{arbitrary::json as any_json, event::SseEvent, translated::Translate};

fn with(changes: &[(&str, Value)]) -> Result<Responses, ApiError> {
    let mut request = json!({"model": "m", "input": "hi"});
    for (key, value) in changes {
        request[*key] = value.clone();
    }
    Responses::parse(&request)
}

fn weather() -> Value {
    json!({"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": true, "description": "d"})
}

fn completion(message: &Value, reason: &str) -> Value {
    json!({
        "id": "chatcmpl-abc", "created": 7, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
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
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    })
}

fn streamed(request: &Responses, chunks: &[Value]) -> Vec<SseEvent> {
    let mut stream = request.events();
    let mut events: Vec<SseEvent> = chunks
        .iter()
        .flat_map(|chunk| stream.chunk(chunk))
        .collect();
    events.extend(stream.finish());
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.data["sequence_number"], index, "{event}");
        assert_eq!(event.data["type"], event.name);
    }
    events
}

fn names(events: &[SseEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.name).collect()
}

#[test]
fn a_text_is_a_users_message() {
    let request = with(&[]).unwrap();
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(request.chat, chat);
}

#[test]
fn every_parameter_has_its_place_in_the_chat_completion() {
    let request = with(&[
        ("instructions", json!("be short")),
        ("max_output_tokens", json!(9)),
        ("temperature", json!(0.5)),
        ("top_p", json!(1)),
        ("tools", json!([weather()])),
        (
            "tool_choice",
            json!({"type": "function", "name": "weather"}),
        ),
        ("parallel_tool_calls", json!(false)),
        (
            "text",
            json!({"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": true}}),
        ),
        ("stream", json!(true)),
        ("store", json!(true)),
        ("metadata", json!({"a": "b"})),
        ("reasoning", json!({"effort": "none"})),
        ("include", json!([])),
        ("truncation", json!("disabled")),
        ("background", json!(false)),
        ("stream_options", json!({"include_obfuscation": false})),
    ])
    .unwrap();
    let function = json!({"name": "weather", "description": "d", "parameters": {"type": "object"}, "strict": true});
    let chat = json!({
        "model": "m",
        "messages": [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"}],
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "top_p": 1,
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": true}},
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(request.chat, chat);
    let response = request
        .answer(&completion(&json!({"content": "x"}), "stop"))
        .unwrap();
    assert_eq!(response["store"], false);
    assert_eq!(response["tools"], json!([weather()]));
    assert_eq!(response["metadata"], json!({"a": "b"}));
    assert_eq!(response["max_output_tokens"], 9);
}

#[test]
fn a_conversation_with_calls_becomes_messages() {
    let request = with(&[(
        "input",
        json!([
            {"role": "developer", "content": "d"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
             "content": [{"type": "output_text", "text": "c", "annotations": []}]},
            {"type": "function_call", "id": "fc_1", "call_id": "1", "name": "f", "arguments": "{}", "status": "completed"},
            {"type": "function_call", "call_id": "2", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "2", "output": "two"},
            {"type": "function_call_output", "call_id": "1", "output": [{"type": "input_text", "text": "one"}]},
            {"type": "function_call", "call_id": "3", "name": "f", "arguments": "{}"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        ]),
    )])
    .unwrap();
    let call = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    let messages = json!([
        {"role": "developer", "content": "d"},
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": "c", "tool_calls": [call("1", "f"), call("2", "g")]},
        {"role": "tool", "tool_call_id": "2", "content": "two"},
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "assistant", "content": null, "tool_calls": [call("3", "f")]},
        {"role": "assistant", "content": "no"},
    ]);
    assert_eq!(request.chat["messages"], messages);
}

#[test]
fn allowed_tools_leave_the_others_out() {
    let other = json!({"type": "function", "name": "other"});
    let choice = json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "other"}]});
    let request = with(&[
        ("tools", json!([weather(), other])),
        ("tool_choice", choice),
    ])
    .unwrap();
    assert_eq!(request.chat["tool_choice"], "required");
    let tools = json!([{"type": "function", "function": {"name": "other"}}]);
    assert_eq!(request.chat["tools"], tools);
}

#[test]
fn an_error_of_the_chat_completion_speaks_of_this_request() {
    let error = ApiError::invalid(
        "tools[0].function.parameters",
        "tools[0].function.parameters is not a schema",
    );
    let error = renamed(error);
    assert_eq!(error.parameter.as_deref(), Some("tools[0].parameters"));
    let error = ApiError::invalid("response_format.json_schema.schema", "x");
    let error = renamed(error);
    assert_eq!(error.parameter.as_deref(), Some("text.format.schema"));
}

#[test]
fn a_whole_answer_has_a_message_and_calls() {
    let request = with(&[]).unwrap();
    let said = json!({"content": "x", "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]});
    let response = request.answer(&completion(&said, "tool_calls")).unwrap();
    assert_eq!(response["id"], "resp_abc");
    assert_eq!(response["status"], "completed");
    let part = json!({"type": "output_text", "text": "x", "annotations": [], "logprobs": []});
    let output = json!([
        {"id": "msg_abc00", "type": "message", "role": "assistant", "status": "completed", "content": [part]},
        {"id": "fc_abc01", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "f", "arguments": "{}"},
    ]);
    assert_eq!(response["output"], output);
    assert_eq!(response["usage"]["total_tokens"], 5);
    let cut = request
        .answer(&completion(&json!({"content": "x"}), "length"))
        .unwrap();
    assert_eq!(cut["status"], "incomplete");
    assert_eq!(cut["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(cut["completed_at"], Value::Null);
    assert_eq!(request.answer(&json!({"id": "x"})), None);
}

#[test]
fn a_streamed_text_has_all_its_events() {
    let request = with(&[("stream", json!(true))]).unwrap();
    let chunks = [
        chunk(&json!({"role": "assistant", "content": ""}), None),
        chunk(&json!({"content": "a"}), None),
        chunk(&json!({"content": "b"}), None),
        chunk(&json!({}), Some("stop")),
        last(),
    ];
    let events = streamed(&request, &chunks);
    assert_eq!(
        names(&events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(events[6].data["text"], "ab");
    let response = &events[9].data["response"];
    assert_eq!(response["output"][0]["content"][0]["text"], "ab");
    assert_eq!(response["output"][0]["id"], events[4].data["item_id"]);
    assert_eq!(response["usage"]["input_tokens"], 3);
}

#[test]
fn streamed_calls_are_items_of_their_own() {
    let request = with(&[("stream", json!(true))]).unwrap();
    let call = |index: u64, id: &str, arguments: &str| {
        let function = json!({"name": "f", "arguments": arguments});
        json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]})
    };
    let more = |index: u64, arguments: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]});
    let chunks = [
        chunk(&json!({"role": "assistant", "content": null}), None),
        chunk(&json!({"content": "a"}), None),
        chunk(&call(0, "call_0", ""), None),
        chunk(&more(0, "{\"a\":"), None),
        chunk(&more(0, "1}"), None),
        chunk(&call(1, "call_1", "{}"), None),
        chunk(&json!({}), Some("tool_calls")),
        last(),
    ];
    let events = streamed(&request, &chunks);
    let output = &events.last().unwrap().data["response"]["output"];
    let kinds: Vec<_> = output
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["type"])
        .collect();
    assert_eq!(kinds, ["message", "function_call", "function_call"]);
    assert_eq!(output[1]["arguments"], "{\"a\":1}");
    assert_eq!(output[2]["call_id"], "call_1");
    let done: Vec<_> = events
        .iter()
        .filter(|event| event.name == "response.function_call_arguments.done")
        .map(|event| &event.data["output_index"])
        .collect();
    assert_eq!(done, [1, 2]);
}

#[test]
fn an_answer_that_is_cut_off_or_fails_says_so() {
    let request = with(&[("stream", json!(true))]).unwrap();
    let begun = [
        chunk(&json!({"role": "assistant", "content": ""}), None),
        chunk(&json!({"content": "a"}), None),
    ];
    let cut = [&begun[..], &[chunk(&json!({}), Some("length")), last()]].concat();
    let events = streamed(&request, &cut);
    let response = &events.last().unwrap().data["response"];
    assert_eq!(names(&events).last(), Some(&"response.incomplete"));
    assert_eq!(response["output"][0]["status"], "incomplete");

    let events = streamed(&request, &begun);
    assert_eq!(names(&events).last(), Some(&"response.failed"));
    assert_eq!(
        events.last().unwrap().data["response"]["error"]["code"],
        "server_error"
    );

    let no_usage = [&begun[..], &[chunk(&json!({}), Some("stop"))]].concat();
    assert_eq!(
        names(&streamed(&request, &no_usage)).last(),
        Some(&"response.failed")
    );
    assert_eq!(names(&streamed(&request, &[])), ["error"]);
}

#[test]
fn an_answer_without_a_token_is_an_empty_message() {
    let request = with(&[("stream", json!(true))]).unwrap();
    let chunks = [
        chunk(&json!({"role": "assistant", "content": ""}), Some("stop")),
        last(),
    ];
    let events = streamed(&request, &chunks);
    let response = &events.last().unwrap().data["response"];
    assert_eq!(response["output"][0]["content"][0]["text"], "");
}

proptest! {
    #[test]
    fn no_request_no_answer_and_no_chunk_panics(request in any_json(), said in any_json(), chunks in prop::collection::vec(any_json(), 0..4)) {
        let _ = Responses::parse(&request);
        let _ = with(&[("input", request.clone())]);
        let _ = with(&[("tools", request.clone()), ("text", said.clone())]);
        let request = with(&[]).unwrap();
        let _ = request.answer(&said);
        let _ = request.answer(&completion(&said, "stop"));
        let mut stream = request.events();
        for delta in &chunks {
            stream.chunk(delta);
            stream.chunk(&chunk(delta, None));
        }
        stream.finish();
    }
}
