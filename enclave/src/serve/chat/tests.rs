use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use ring::hmac;
use serde_json::json;

use super::*;
use crate::{
    engine::fake::{self, Said},
    serve::{chunks::Chunks, messages::Message, question},
};

/// Plays the script that the last message is: an array of what to say.
fn script(_: &str, body: Value) -> Vec<Said> {
    let messages = body["messages"].as_array().unwrap();
    let script = messages.last().unwrap()["content"].as_str().unwrap();
    let Ok(script) = serde_json::from_str::<Vec<Value>>(script) else {
        return fake::echo("/v1/chat/completions", body);
    };
    let event = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        Said::Json(json!({"id": "e", "choices": [choice], "timings": {"predicted_ms": 1.5}}))
    };
    let said = |step: &Value| match step.as_object().and_then(|step| step.iter().next()) {
        None if step == "done" => Said::Done,
        None if step == "hang" => Said::Hang,
        None if step == "close" => Said::Close,
        None => event(json!({"content": step}), json!(null)),
        Some((key, value)) => match key.as_str() {
            "finish" => event(json!({}), value.clone()),
            "usage" => Said::Json(json!({"id": "e", "choices": [], "usage":
                {"prompt_tokens": value[0], "completion_tokens": value[1]}})),
            "status" => Said::Status(400, value.clone()),
            "raw" => Said::Raw(Bytes::from(value.as_str().unwrap().to_owned())),
            "seed" => event(json!({"content": body["seed"].to_string()}), json!(null)),
            "stop" => event(json!({"content": body["stop"].to_string()}), json!(null)),
            _ => Said::Json(value.clone()),
        },
    };
    script.iter().map(said).collect()
}

/// A script that ends as it should.
fn ending(texts: &[&str], finish: &str, usage: [u32; 2]) -> Value {
    let mut script: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
    script.extend([
        json!({"finish": finish}),
        json!({"usage": usage}),
        json!("done"),
    ]);
    json!(script)
}

async fn asked(script_of: &Value, more: Value) -> Result<Answer, ApiError> {
    let content = script_of
        .as_str()
        .map_or_else(|| script_of.to_string(), str::to_owned);
    let mut request = json!({"model": "tiny", "messages": [{"role": "user", "content": content}]});
    request
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let engines = fake::engines(&[(fake::model("tiny", Kind::Chat), script)]).await;
    ask(engines.all()[0].clone(), Tenant([1; 32]), &request).await
}

async fn ask(served: Arc<Served>, tenant: Tenant, request: &Value) -> Result<Answer, ApiError> {
    let serving = fake::measured().configuration.serving;
    let chat = Chat::parse(request.as_object().unwrap(), served.model(), &serving, 1)?;
    let asked = Asked {
        served,
        tenant,
        salt: question::salt(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), &tenant),
        envelope: Envelope {
            id: "1".into(),
            model: "tiny".into(),
            fingerprint: "fp_1".into(),
            created: 1,
        },
    };
    let (inquiry, shape, delivery) = plan(chat, asked);
    match delivery {
        Delivery::Whole => chunks::whole(inquiry, shape).await,
        Delivery::Stream { .. } => chunks::stream(inquiry, shape).await,
    }
}

async fn whole(script: &Value, more: Value) -> Result<Value, ApiError> {
    match asked(script, more).await? {
        Answer::Whole(value) => Ok(value),
        Answer::Stream(_) => panic!("a stream"),
    }
}

async fn all(mut chunks: Box<Chunks>) -> Result<Vec<Value>, ApiError> {
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next().await {
        all.push(chunk?);
    }
    Ok(all)
}

async fn streamed(script: &Value, mut more: Value) -> Result<Vec<Value>, ApiError> {
    more["stream"] = json!(true);
    match asked(script, more).await? {
        Answer::Stream(chunks) => all(chunks).await,
        Answer::Whole(_) => panic!("not a stream"),
    }
}

#[tokio::test]
async fn an_answer_has_the_gates_names_and_nothing_else_of_the_engines() {
    let script = ending(&["Hel", "lo"], "stop", [3, 3]);
    assert_eq!(
        whole(&script, json!({})).await.unwrap(),
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "tiny", "system_fingerprint": "fp_1",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "refusal": null},
                "logprobs": null, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6,
                "prompt_tokens_details": {"cached_tokens": 0}}})
    );
}

#[tokio::test]
async fn a_stream_has_role_deltas_finish_and_usage() {
    let script = ending(&["a", "é"], "length", [3, 2]);
    let options = json!({"stream_options": {"include_usage": true}});
    let chunks = streamed(&script, options).await.unwrap();
    let choices: Vec<&Value> = chunks[..4]
        .iter()
        .map(|chunk| &chunk["choices"][0])
        .collect();
    assert_eq!(
        choices[0]["delta"],
        json!({"role": "assistant", "content": "", "refusal": null})
    );
    assert_eq!(choices[1]["delta"], json!({"content": "a"}));
    assert_eq!(choices[2]["delta"], json!({"content": "é"}));
    assert_eq!(
        choices[3],
        &json!({"index": 0, "delta": {}, "logprobs": null, "finish_reason": "length"})
    );
    for chunk in &chunks[..4] {
        assert_eq!(chunk.get("usage"), Some(&Value::Null), "{chunk}");
        assert_eq!(chunk["id"], "chatcmpl-1");
    }
    assert_eq!(chunks[4]["choices"], json!([]));
    assert_eq!(chunks[4]["usage"]["total_tokens"], 5);
    assert_eq!(chunks.len(), 5);
    let plain = streamed(&script, json!({})).await.unwrap();
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[tokio::test]
async fn every_choice_is_asked_for_with_its_own_seed_and_counted_once() {
    let script = json!([{"seed": 0}, {"finish": "stop"}, {"usage": [5, 2]}, "done"]);
    let answer = whole(&script, json!({"n": 3, "seed": 7})).await.unwrap();
    let texts: Vec<&Value> = (0..3)
        .map(|at| &answer["choices"][at]["message"]["content"])
        .collect();
    assert_eq!(texts, ["7", "8", "9"]);
    assert_eq!(answer["choices"][2]["index"], 2);
    assert_eq!(
        (
            &answer["usage"]["prompt_tokens"],
            &answer["usage"]["completion_tokens"]
        ),
        (&json!(5), &json!(6))
    );
}

#[tokio::test]
async fn a_stop_text_ends_the_answer_even_if_the_engine_goes_on() {
    let script = json!(["one E", "N", "D two", "hang"]);
    let answer = whole(&script, json!({"stop": ["END"]})).await.unwrap();
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["content"], "one ");
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(choice["stop_reason"], "END");
    let chunks = streamed(&script, json!({"stop": ["x", "END"]}))
        .await
        .unwrap();
    let last = &chunks.last().unwrap()["choices"][0];
    assert_eq!(
        (&last["finish_reason"], &last["stop_reason"]),
        (&json!("stop"), &json!("END"))
    );
    // One that did not come is not said to have come.
    let script = ending(&["one"], "stop", [1, 1]);
    let answer = whole(&script, json!({"stop": ["END"]})).await.unwrap();
    assert_eq!(answer["choices"][0].get("stop_reason"), None);
}

#[tokio::test]
async fn an_engine_that_answers_in_another_form_is_replaced() {
    let misshapen = json!({"id": "e", "choices": [{"index": 3, "delta": {}}]});
    for script in [
        json!(["a", {"json": misshapen}]),
        json!(["a", {"raw": "data: {}\n\n"}]),
        json!(["a", {"raw": "data: no JSON\n\n"}]),
        json!(["a", {"finish": "abort"}, "done"]),
        json!(["a", {"json": {"id": "another", "choices": [{"index": 0, "delta": {"content": "b"}}]}}]),
        json!(["a", {"json": {"error": {"code": 500, "message": "no"}}}]),
        json!(["a", "done"]),
        json!(["a", {"finish": "stop"}, "b", "done"]),
        json!(["a", "close"]),
        json!([]),
    ] {
        let error = whole(&script, json!({})).await.unwrap_err();
        assert_eq!(
            (error.status.as_u16(), error.code),
            (502, "engine_failed"),
            "{script}"
        );
        let error = streamed(&script, json!({})).await.unwrap_err();
        assert_eq!(error.code, "engine_failed", "{script}");
    }
    let too_many = ending(&["a", "b", "c"], "stop", [1, 3]);
    let error = whole(&too_many, json!({"max_tokens": 2}))
        .await
        .unwrap_err();
    assert_eq!(
        (error.status.as_u16(), error.code),
        (502, "answer_too_long")
    );
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_counted() {
    let error = whole(&json!("long"), json!({})).await.unwrap_err();
    assert_eq!(
        (error.status.as_u16(), error.code),
        (400, "context_length_exceeded")
    );
    assert!(
        error.message.contains("100") && error.message.contains("64"),
        "{}",
        error.message
    );
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters":
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}})
}

fn calling(choice: &str) -> Value {
    json!({"tools": [function("f"), function("g")], "tool_choice": choice})
}

#[tokio::test]
async fn calls_are_made_of_the_reply() {
    let texts = [
        r#"{"calls": [{"na"#,
        r#"me": "f", "parameters": {"a": "#,
        r#"1}}, {"name": "g", "parameters": {"a":2}}]}"#,
    ];
    let script = ending(&texts, "stop", [3, 3]);
    let answer = whole(&script, calling("required")).await.unwrap();
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls[0]["type"], "function");
    assert_eq!(
        calls[0]["function"],
        json!({"name": "f", "arguments": "{\"a\": 1}"})
    );
    assert_eq!(
        calls[1]["function"],
        json!({"name": "g", "arguments": "{\"a\":2}"})
    );
    assert_ne!(calls[0]["id"], calls[1]["id"]);

    let chunks = streamed(&script, calling("auto")).await.unwrap();
    let deltas: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"])
        .collect();
    assert_eq!(deltas[0]["content"], Value::Null);
    let begin = &deltas[1]["tool_calls"][0];
    assert_eq!(
        begin,
        &json!({"index": 0, "id": calls[0]["id"], "type": "function", "function": {"name": "f", "arguments": ""}})
    );
    assert_eq!(
        deltas[2]["tool_calls"][0],
        json!({"index": 0, "function": {"arguments": "{\"a\": "}})
    );
    assert_eq!(
        deltas[3]["tool_calls"][0],
        json!({"index": 0, "function": {"arguments": "1}"}})
    );
    assert_eq!(deltas[4]["tool_calls"][0]["index"], 1);
    assert_eq!(
        chunks.last().unwrap()["choices"][0]["finish_reason"],
        "tool_calls"
    );
}

#[tokio::test]
async fn an_answer_instead_of_a_call_is_a_text() {
    let script = ending(&["{\"answer\": \"4", "2\\n\"}"], "stop", [3, 2]);
    let answer = whole(&script, calling("auto")).await.unwrap();
    let choice = &answer["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!("42\n"), &json!("stop"))
    );
    assert_eq!(choice["message"].get("tool_calls"), None);
    // Stop texts are for the answer in the reply.
    let mut stopping = calling("auto");
    stopping["stop"] = json!("2");
    let answer = whole(&script, stopping).await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "4");
    assert_eq!(answer["choices"][0]["stop_reason"], "2");
}

#[tokio::test]
async fn a_call_that_is_not_valid_is_no_call() {
    for reply in [
        "Sure, I will call f.",
        r#"{"calls": [{"name": "h", "parameters": {"a": 1}}]}"#,
        r#"{"calls": [{"name": "f", "parameters": {"a": "1"}}]}"#,
        r#"{"calls": [{"name": "f", "parameters": {}}]}"#,
        r#"{"calls": [{"name": "f", "parameters": {"a": 1}"#,
    ] {
        let script = ending(&[reply], "stop", [3, 1]);
        let error = whole(&script, calling("required")).await.unwrap_err();
        assert_eq!(
            (error.status.as_u16(), error.code),
            (502, "answer_not_valid"),
            "{reply}"
        );
    }
    let one = r#"{"name": "f", "parameters": {"a": 1}}"#;
    let script = ending(&[&format!("{{\"calls\": [{one}, {one}]}}")], "stop", [3, 1]);
    let mut single = calling("required");
    single["parallel_tool_calls"] = json!(false);
    assert_eq!(
        whole(&script, single).await.unwrap_err().code,
        "answer_not_valid"
    );
    // One that is cut off says so.
    let script = ending(
        &[r#"{"calls": [{"name": "f", "parameters": {"a"#],
        "length",
        [3, 1],
    );
    let answer = whole(&script, calling("required")).await.unwrap();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
}

fn format() -> Value {
    json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema":
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}}})
}

#[tokio::test]
async fn an_answer_that_does_not_follow_its_schema_is_not_finished() {
    let good = ending(&["{\"a\"", ": 1}"], "stop", [3, 2]);
    let answer = whole(&good, format()).await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "{\"a\": 1}");
    for bad in ["{\"a\": \"1\"}", "{\"a\": ", "prose"] {
        let script = ending(&[bad], "stop", [3, 2]);
        let error = whole(&script, format()).await.unwrap_err();
        assert_eq!(
            (error.status.as_u16(), error.code),
            (502, "answer_not_valid")
        );
        let error = streamed(&script, format()).await.unwrap_err();
        assert_eq!(error.parameter.as_deref(), Some(SCHEMA));
    }
    let cut = ending(&["{\"a\": "], "length", [3, 2]);
    let answer = whole(&cut, format()).await.unwrap();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn a_schema_that_the_engine_cannot_follow_is_named() {
    let refused = json!([{"status": {"error": {"message": "secret"}}}]);
    let error = whole(&refused, format()).await.unwrap_err();
    assert_eq!(
        (error.status.as_u16(), error.parameter.as_deref()),
        (400, Some(SCHEMA))
    );
    let error = whole(&refused, calling("auto")).await.unwrap_err();
    assert_eq!(error.parameter.as_deref(), Some("tools"));
    let error = whole(&refused, json!({"logit_bias": {"99999999": 1}}))
        .await
        .unwrap_err();
    assert_eq!(error.parameter.as_deref(), Some("logit_bias"));
}

#[tokio::test]
async fn likelihoods_are_those_of_the_text() {
    let likely = |token: &str| json!({"token": token, "bytes": token.as_bytes(), "logprob": -0.5, "top_logprobs": []});
    let event = |text: &str, tokens: &[&str]| {
        let content: Vec<Value> = tokens.iter().map(|token| likely(token)).collect();
        json!({"json": {"id": "e", "choices": [{"index": 0, "delta": {"content": text}, "logprobs": {"content": content}}]}})
    };
    let script =
        json!([event("a", &["other", "a"]), event("b", &["b"]), {"finish": "stop"}, "done"]);
    let answer = whole(&script, json!({"logprobs": true})).await.unwrap();
    let content = answer["choices"][0]["logprobs"]["content"]
        .as_array()
        .unwrap();
    let tokens: Vec<&Value> = content.iter().map(|token| &token["token"]).collect();
    assert_eq!(tokens, ["a", "b"]);
}

#[test]
fn history_is_told_to_a_template_that_knows_no_tools() {
    let tools = Tools::parse(calling("auto").as_object().unwrap()).unwrap();
    let call = |id: &str| crate::serve::messages::PastCall {
        id: id.into(),
        name: "f".into(),
        arguments: "{\"a\": 1}".into(),
    };
    let result = |content: &str| Message::Tool {
        name: "f".into(),
        content: content.into(),
    };
    let history = vec![
        Message::System("Be brief.".into()),
        Message::User("add".into()),
        Message::Assistant {
            content: String::new(),
            calls: vec![call("1"), call("2")],
        },
        result("2"),
        result("3"),
    ];
    let turns = render::turns(history, tools.as_ref());
    let roles: Vec<_> = turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    assert!(
        turns[0]
            .content
            .starts_with("Be brief.\n\nYou can call these functions:\n{\"name\":\"f\"")
    );
    let calls =
        r#"{"calls":[{"name":"f","parameters":{"a":1}},{"name":"f","parameters":{"a":1}}]}"#;
    assert_eq!(turns[2].content, calls);
    assert_eq!(turns[3].content, "f returned: 2\n\nf returned: 3");
}

/// Plays vLLM: a prompt that came before with the same salt was computed before.
#[expect(clippy::needless_pass_by_value, reason = "as a `Play` takes it")]
fn remembering(_: &str, body: Value) -> Vec<Said> {
    static SEEN: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let key = format!("{} {}", body["cache_salt"], body["messages"]);
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let cached = u32::from(!seen.get_or_insert_default().insert(key));
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": cached}});
    let choice = json!({"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"});
    vec![
        Said::Json(json!({"id": "e", "choices": [choice]})),
        Said::Json(json!({"id": "e", "choices": [], "usage": usage})),
        Said::Done,
    ]
}

#[tokio::test]
async fn what_one_tenant_asked_makes_nothing_faster_for_another() {
    let served = fake::vllm(&fake::model("tiny", Kind::Chat), remembering).await;
    let request = json!({"model": "tiny", "messages": [{"role": "user", "content": "secret"}]});
    let cached = async |tenant| match ask(served.clone(), Tenant(tenant), &request).await {
        Ok(Answer::Whole(answer)) => {
            answer["usage"]["prompt_tokens_details"]["cached_tokens"].clone()
        }
        _ => panic!("no answer"),
    };
    assert_eq!(cached([1; 32]).await, 0);
    // The engine does remember, and says so to the one who asked.
    assert_eq!(cached([1; 32]).await, 1);
    assert_eq!(cached([2; 32]).await, 0);
}
