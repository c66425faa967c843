//! The endpoints beside chat completions, through the whole enclave.

use chrysalis_wire::multipart::Writer;
use serde_json::{Value, json};

use super::{
    client::{ask_with, connect, request},
    host::{FakeHost, enclave},
};

const RESPONSES: &str = "POST /v1/responses";
const MESSAGES: &str = "POST /v1/messages";

fn response(text: &str) -> Value {
    json!({"model": "tiny", "input": text})
}

fn message(text: &str) -> Value {
    json!({"model": "tiny", "max_tokens": 9, "messages": [{"role": "user", "content": text}]})
}

/// The names of a stream's events.
fn names(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect()
}

#[tokio::test]
async fn a_response_is_a_chat_completion_in_other_words() {
    let (host, _story) = enclave().await;
    let answer = request(&host, RESPONSES, &response("one two")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let whole = answer.json();
    assert_eq!(whole["output"][0]["content"][0]["text"], "one two ");
    assert_eq!(whole["usage"]["total_tokens"], 4);

    let mut streaming = response("one two");
    streaming["stream"] = json!(true);
    let answer = request(&host, RESPONSES, &streaming).await;
    let text = answer.text();
    let names = names(&text);
    assert_eq!(names.first(), Some(&"response.created"), "{text}");
    assert_eq!(names.last(), Some(&"response.completed"), "{text}");
}

#[tokio::test]
async fn a_message_is_a_chat_completion_in_anthropics_words() {
    let (host, _story) = enclave().await;
    let answer = request(&host, MESSAGES, &message("one two")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let whole = answer.json();
    assert_eq!(
        whole["content"],
        json!([{"type": "text", "text": "one two "}])
    );
    assert_eq!(whole["stop_reason"], "end_turn");

    let mut streaming = message("one two");
    streaming["stream"] = json!(true);
    let answer = request(&host, MESSAGES, &streaming).await;
    let text = answer.text();
    assert_eq!(names(&text).first(), Some(&"message_start"), "{text}");
    assert_eq!(names(&text).last(), Some(&"message_stop"), "{text}");
}

#[tokio::test]
async fn a_message_says_which_stop_text_ended_it() {
    let (host, _story) = enclave().await;
    let mut asked = message("one two three");
    asked["stop_sequences"] = json!(["nine", "two"]);
    let whole = request(&host, MESSAGES, &asked).await.json();
    assert_eq!(whole["content"], json!([{"type": "text", "text": "one "}]));
    let ended = (&whole["stop_reason"], &whole["stop_sequence"]);
    assert_eq!(ended, (&json!("stop_sequence"), &json!("two")));
    asked["stream"] = json!(true);
    let text = request(&host, MESSAGES, &asked).await.text();
    assert!(
        text.contains(r#""delta":{"stop_reason":"stop_sequence","stop_sequence":"two"}"#),
        "{text}"
    );
}

#[tokio::test]
async fn errors_are_in_the_words_of_each_api() {
    let (host, _story) = enclave().await;
    let other =
        json!({"model": "other", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}]});
    for (body, status, kind) in [
        (json!([]), 400, "invalid_request_error"),
        (json!({"model": "tiny"}), 400, "invalid_request_error"),
        (other, 404, "not_found_error"),
        (message("long"), 400, "invalid_request_error"),
        (message("crash"), 502, "api_error"),
    ] {
        let answer = request(&host, MESSAGES, &body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        let answer = answer.json();
        assert_eq!(
            (&answer["type"], &answer["error"]["type"]),
            (&json!("error"), &json!(kind))
        );
    }
    let mut tools = response("a");
    tools["tools"] = json!([{"type": "function", "name": "a b", "parameters": {}}]);
    let answer = request(&host, RESPONSES, &tools).await;
    assert_eq!(
        answer.json()["error"]["param"],
        "tools[0].name",
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn a_model_of_another_kind_is_refused_by_name() {
    let (host, _story) = enclave().await;
    let embed = json!({"model": "tiny", "input": "a"});
    let rank = json!({"model": "tiny", "query": "a", "documents": ["b"]});
    for (start, body) in [("POST /v1/embeddings", embed), ("POST /v1/rerank", rank)] {
        let answer = request(&host, start, &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(answer.json()["error"]["param"], "model");
    }
    let (status, error) = send_form(&host, b"ID3").await;
    assert_eq!((status, &error["param"]), (400, &json!("model")), "{error}");
}

#[tokio::test]
async fn a_form_may_be_longer_than_a_conversation_but_not_any_length() {
    let (host, _story) = enclave().await;
    let (status, error) = send_form(&host, &[&b"ID3"[..], &vec![0; 2 << 20]].concat()).await;
    assert_eq!((status, &error["param"]), (400, &json!("model")), "{error}");
    let (status, error) = send_form(&host, &vec![0; 26 << 20]).await;
    assert_eq!(
        (status, &error["code"]),
        (413, &json!("body_too_large")),
        "{error}"
    );
    let (status, error) = send_form(&host, b"PK\x03\x04").await;
    assert_eq!((status, &error["param"]), (400, &json!("file")), "{error}");
}

async fn send_form(host: &FakeHost, file: &[u8]) -> (u16, Value) {
    let mut form = Writer::new("0123".into(), 0);
    form.text("model", "tiny");
    form.file("file", "a.mp3", "audio/mpeg", &[file]);
    let (boundary, body) = form.finish();
    let headers = format!("content-type: multipart/form-data; boundary={boundary}\r\n");
    let mut stream = connect(host.folder.path()).await;
    let start = "POST /v1/audio/transcriptions";
    let answer = ask_with(&mut stream, start, &headers, &body).await;
    (answer.status, answer.json()["error"].clone())
}
