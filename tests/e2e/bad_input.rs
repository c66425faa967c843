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
    request(
        &[
            "-X",
            "POST",
            "-H",
            "content-type: application/json",
            "-d",
            body,
        ],
        "/v1/chat/completions",
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
