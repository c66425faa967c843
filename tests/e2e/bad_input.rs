//! Requests that no client should send. Each gets a clear error that names the thing; the process keeps serving.

use std::{
    net::TcpStream,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use chrysalis_tests::{
    lies::send_chat,
    machine::{Machine, Plan, chrysalis, run},
    proxy::Proxy,
};

/// The longest that idle connections may keep others out.
const PATIENCE: Duration = Duration::from_mins(2);

fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| Machine::boot(&Plan::process()))
}

fn proxy() -> &'static Proxy {
    static PROXY: OnceLock<Proxy> = OnceLock::new();
    PROXY.get_or_init(|| Proxy::start(&machine().url(), &machine().policy()))
}

/// The status, and the error's `code`, `param` and `message`.
fn post(body: &str) -> (u16, serde_json::Value) {
    post_with(&[], body.as_bytes())
}

/// The same with more headers, and a body of any bytes and length.
fn post_with(headers: &[&str], body: &[u8]) -> (u16, serde_json::Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("body");
    std::fs::write(&file, body).expect("a body");
    let data = format!("@{}", file.display());
    let mut arguments = vec!["-X", "POST", "--data-binary", &data];
    let kind = ["content-type: application/json"];
    let given = headers.iter().any(|it| it.starts_with("content-type"));
    for header in kind.iter().skip(given.into()).chain(headers) {
        arguments.extend(["-H", header]);
    }
    request(&arguments, "/v1/chat/completions")
}

/// A short question, and more keys.
fn question(more: &serde_json::Value) -> String {
    let mut body = serde_json::json!({
        "model": "smollm2-135m-instruct", "max_tokens": 1,
        "messages": [{"role": "user", "content": "Hi"}],
    });
    let keys = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(keys);
    body.to_string()
}

/// A question whose answer has a schema.
fn by_schema(schema: &serde_json::Value) -> String {
    let format = serde_json::json!({"name": "s", "schema": schema});
    question(
        &serde_json::json!({"response_format": {"type": "json_schema", "json_schema": format}}),
    )
}

fn request(arguments: &[&str], path: &str) -> (u16, serde_json::Value) {
    let url = format!("http://{}{path}", proxy().address());
    let printed = run(
        "curl",
        &[
            &["-sS", "--max-time", "120", "-w", "\n%{http_code}", &url],
            arguments,
        ]
        .concat(),
    );
    let (body, status) = printed.rsplit_once('\n').expect("a status");
    let body: serde_json::Value =
        serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {body}"));
    (status.parse().expect("a number"), body["error"].clone())
}

fn still_serves() {
    let (status, error) = post(
        r#"{"model":"smollm2-135m-instruct","max_tokens":1,"messages":[{"role":"user","content":"Hi"}]}"#,
    );
    assert_eq!((status, error), (200, serde_json::Value::Null));
}

#[test]
fn malformed_json_is_400() {
    let (status, error) = post("{\"model\": ");
    assert_eq!(status, 400, "{error}");
    assert_eq!(error["type"], "invalid_request_error");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("JSON")),
        "{error}"
    );
    still_serves();
}

#[test]
fn an_unknown_model_is_404_and_named() {
    let (status, error) = post(r#"{"model":"gpt-9","messages":[{"role":"user","content":"Hi"}]}"#);
    assert_eq!(
        (status, &error["code"]),
        (404, &"model_not_found".into()),
        "{error}"
    );
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("gpt-9")),
        "{error}"
    );
    still_serves();
}

#[test]
fn a_value_out_of_range_is_400_and_names_the_parameter() {
    let body = r#"{"model":"smollm2-135m-instruct","temperature":-5,"messages":[{"role":"user","content":"Hi"}]}"#;
    let (status, error) = post(body);
    assert_eq!(
        (status, &error["param"]),
        (400, &"temperature".into()),
        "{error}"
    );
    still_serves();
}

#[test]
fn a_prompt_longer_than_the_context_is_400_with_both_numbers() {
    let prompt = "one two three four ".repeat(4000);
    let body = serde_json::json!({
        "model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": prompt}],
    });
    let (status, error) = post(&body.to_string());
    assert_eq!(
        (status, &error["code"]),
        (400, &"context_length_exceeded".into()),
        "{error}"
    );
    let numbers = error["message"]
        .as_str()
        .expect("a message")
        .split(|c: char| !c.is_ascii_digit());
    assert!(
        numbers.filter(|digits| digits.len() >= 3).count() >= 2,
        "{error}"
    );
    still_serves();
}

#[test]
fn a_nonce_of_the_wrong_length_is_400_and_says_the_right_one() {
    let (status, error) = request(&[], "/v1/attestation?nonce=abcd");
    assert_eq!((status, &error["param"]), (400, &"nonce".into()), "{error}");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("64")),
        "{error}"
    );
    still_serves();
}

#[test]
fn a_body_of_100_megabytes_is_413() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("large");
    std::fs::write(&file, vec![b' '; 100 << 20]).expect("a large file");
    let data = format!("@{}", file.display());
    let (status, error) = request(
        &[
            "-X",
            "POST",
            "-H",
            "content-type: application/json",
            "-H",
            "expect:",
            "--data-binary",
            &data,
        ],
        "/v1/chat/completions",
    );
    assert_eq!(status, 413, "{error}");
    still_serves();
}

#[test]
fn a_body_may_come_in_chunks_and_after_a_question_whether_it_may() {
    let body = question(&serde_json::json!({}));
    for header in ["transfer-encoding: chunked", "expect: 100-continue"] {
        let (status, error) = post_with(&[header], body.as_bytes());
        assert_eq!(status, 200, "{header}: {error}");
    }
}

#[test]
fn a_body_in_another_encoding_is_415_and_says_which_is_taken() {
    let body = question(&serde_json::json!({}));
    for (header, code, taken) in [
        (
            "content-encoding: gzip",
            "unsupported_content_encoding",
            "uncompressed",
        ),
        (
            "content-encoding: br",
            "unsupported_content_encoding",
            "uncompressed",
        ),
        (
            "content-type: application/json; charset=utf-16",
            "unsupported_charset",
            "UTF-8",
        ),
    ] {
        let (status, error) = post_with(&[header], body.as_bytes());
        assert_eq!((status, &error["code"]), (415, &code.into()), "{error}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(taken), "{message}");
    }
    still_serves();
}

#[test]
fn text_that_is_no_utf_8_is_400_and_the_place_is_named() {
    let body = question(&serde_json::json!({})).replace("Hi", "H?");
    let at = body.find("H?").expect("a place") + 1;
    let mut body = body.into_bytes();
    body[at] = 0xE9;
    let (status, error) = post_with(&[], &body);
    assert_eq!(
        (status, &error["code"]),
        (400, &"invalid_json".into()),
        "{error}"
    );
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains(&format!("byte {at}")), "{message}");
    still_serves();
}

#[test]
fn a_schema_that_cannot_be_answered_is_400_and_says_why() {
    let never = serde_json::json!({
        "type": "object", "properties": {"a": false}, "required": ["a"],
    });
    let endless = serde_json::json!({
        "type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"],
    });
    let long = serde_json::json!({"enum": ["x".repeat(1_000_000)]});
    for (schema, says) in [(never, "nothing"), (endless, "nothing"), (long, "65536")] {
        let (status, error) = post(&by_schema(&schema));
        assert_eq!(status, 400, "{error}");
        let param = error["param"].as_str().expect("a parameter");
        assert!(param.starts_with("response_format"), "{error}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(says), "{message}");
    }
    still_serves();
}

#[test]
fn ten_thousand_stop_texts_are_400_and_counted() {
    let body = question(&serde_json::json!({"stop": vec!["x"; 10_000]}));
    let (status, error) = post(&body);
    assert_eq!((status, &error["param"]), (400, &"stop".into()), "{error}");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("10000"), "{message}");
    still_serves();
}

#[test]
fn a_picture_for_a_model_without_eyes_is_400_and_named() {
    let picture = serde_json::json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let messages = serde_json::json!([{"role": "user", "content": [picture]}]);
    let (status, error) = post(&question(&serde_json::json!({"messages": messages})));
    assert_eq!(status, 400, "{error}");
    let param = error["param"].as_str().expect("a parameter");
    assert!(param.starts_with("messages[0].content[0]"), "{error}");
    still_serves();
}

#[test]
fn a_form_without_an_end_is_400_and_a_zip_archive_no_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    let send = |name: &str, body: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, body).expect("a file");
        format!("@{}", file.display())
    };
    let start = b"--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nw\r\n--b\r\n";
    let endless = send("form", start);
    let kind = "content-type: multipart/form-data; boundary=b";
    let path = "/v1/audio/transcriptions";
    let (status, error) = request(&["-H", kind, "--data-binary", &endless], path);
    assert_eq!(
        (status, &error["code"]),
        (400, &"invalid_json".into()),
        "{error}"
    );
    // The first bytes of an archive in which a few bytes unpack to many.
    let zip = format!("file={}", send("voice.ogg", b"PK\x03\x04\x14\0\0\0\x08\0"));
    let (status, error) = request(&["-F", "model=w", "-F", &zip], path);
    assert_eq!((status, &error["param"]), (400, &"file".into()), "{error}");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("a ZIP archive"), "{message}");
    still_serves();
}

#[test]
fn a_thousand_idle_connections_do_not_stop_it() {
    let idle: Vec<_> = (0..1000)
        .filter_map(|_| TcpStream::connect(machine().address()).ok())
        .collect();
    assert!(idle.len() > 200, "the host took {} connections", idle.len());
    // They hold every place until the enclave gives each up; then a new client is served while they are still there.
    let deadline = Instant::now() + PATIENCE;
    let url = machine().url();
    let policy = machine().policy();
    let policy = policy.to_string_lossy();
    while !chrysalis(&["verify", &url, "--policy", &policy])
        .status
        .success()
    {
        assert!(
            Instant::now() < deadline,
            "no new client was served beside {} idle ones",
            idle.len()
        );
        thread::sleep(Duration::from_millis(500));
    }
    still_serves();
    drop(idle);
}

#[test]
fn a_client_that_leaves_stops_its_generation() {
    let mut long = send_chat(
        proxy().address(),
        "Count from one to two thousand in words.",
        1800,
    );
    long.wait_for("\"content\":");
    long.leave();
    // One generation runs at a time: an answer means the abandoned one is over.
    still_serves();
    let health = run(
        "curl",
        &["-sS", &format!("http://{}/v1/models", proxy().address())],
    );
    assert!(health.contains("smollm2"), "{health}");
}
