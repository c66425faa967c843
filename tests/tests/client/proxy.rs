//! The local proxy: what programs see that know nothing of attestation.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use chrysalis_client::proxy::Proxy;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http1, header::HeaderMap};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{Enclave, Host, Proof, Reply, relying_party};

const PROMPT: &str = "the prompt that must not leave";
const STREAM: &str = "{\"stream\":true}";
/// Longer than any test.
const NEVER: Duration = Duration::from_hours(1);

/// A proxy to `host` that verifies again after each `interval`.
async fn proxy(host: &Host, interval: Duration) -> SocketAddr {
    let proxy = Proxy::start(host.target(), relying_party()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { proxy.serve(listener, interval).await });
    address
}

async fn send(proxy: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let tcp = TcpStream::connect(proxy).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

async fn chat(proxy: SocketAddr, body: &str) -> Response<Incoming> {
    let request = Request::post("/v1/chat/completions")
        .header("host", proxy.to_string())
        .header("authorization", "Bearer local-secret")
        .body(Full::from(body.to_owned()))
        .unwrap();
    send(proxy, request).await
}

async fn get(proxy: SocketAddr, path: &str) -> Response<Incoming> {
    send(
        proxy,
        Request::get(path)
            .header("host", "localhost")
            .body(Full::default())
            .unwrap(),
    )
    .await
}

async fn json(answer: Response<Incoming>) -> Value {
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

/// All that came before the end, and whether the end was clean.
async fn read(answer: Response<Incoming>) -> (String, bool) {
    let (mut body, mut text) = (answer.into_body(), String::new());
    loop {
        match body.frame().await {
            Some(Ok(frame)) => text += &String::from_utf8_lossy(&frame.into_data().unwrap()),
            Some(Err(_)) => return (text, false),
            None => return (text, true),
        }
    }
}

fn verdict(headers: &HeaderMap) -> &str {
    headers["x-chrysalis-verdict"].to_str().unwrap()
}

#[tokio::test]
async fn a_plain_answer_passes_with_the_verdict_beside_it() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    let answer = chat(proxy, "{}").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(verdict(answer.headers()), "trusted-simulated");
    assert!(!answer.headers().contains_key("x-hop"));
    assert_eq!(
        json(answer).await["choices"][0]["message"]["content"],
        "Hello"
    );
}

#[tokio::test]
async fn a_stream_passes_to_its_done() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    let answer = chat(proxy, STREAM).await;
    assert_eq!(verdict(answer.headers()), "trusted-simulated");
    let (text, clean) = read(answer).await;
    assert!(clean && text.ends_with("data: [DONE]\n\n"), "{text}");
}

#[tokio::test]
async fn requests_in_turn_share_one_verified_connection() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    for body in ["{}", STREAM, "{}"] {
        read(chat(proxy, body).await).await;
    }
    assert_eq!(host.connections(), 1);
}

#[tokio::test]
async fn the_local_api_key_stays_local() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    read(chat(proxy, "{}").await).await;
    let seen = host.seen();
    assert!(seen.contains("POST /v1/chat/completions"), "{seen}");
    assert!(
        !seen.contains("local-secret") && !seen.contains(&proxy.to_string()),
        "{seen}"
    );
}

#[tokio::test]
async fn nothing_is_forwarded_to_an_enclave_that_lost_its_trust() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, Duration::from_millis(100)).await;
    host.prove(Proof::Replayed);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let answer = chat(proxy, PROMPT).await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.headers()["x-should-retry"], "false");
    let error = &json(answer).await["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&"attestation_error".into(), &"binding_mismatch".into())
    );
    assert!(
        error["message"].as_str().unwrap().contains("hint: "),
        "{error}"
    );
    assert!(!host.seen().contains(PROMPT));
    let health = get(proxy, "/health").await;
    assert_eq!(health.status(), 503);
    assert_eq!(json(health).await["code"], "binding_mismatch");
}

#[tokio::test]
async fn a_failed_verification_ends_open_streams_by_name() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Endless);
    let proxy = proxy(&host, Duration::from_millis(200)).await;
    let answer = chat(proxy, STREAM).await;
    host.prove(Proof::Of(Enclave::honest()));
    let (text, clean) = read(answer).await;
    assert!(
        !clean,
        "a stream without trust must not end as if it were whole"
    );
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.contains("\"code\":\"binding_mismatch\""), "{last}");
    assert!(!text.contains("[DONE]"));
    wait_until(|| host.generations() == 0).await;
}

#[tokio::test]
async fn an_enclave_started_anew_ends_the_streams_of_the_old_one() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Endless);
    let proxy = proxy(&host, Duration::from_millis(200)).await;
    let answer = chat(proxy, STREAM).await;
    host.restart();
    let (text, clean) = read(answer).await;
    assert!(
        !clean && text.contains("\"code\":\"key_changed\""),
        "{text}"
    );
    host.reply(Reply::Whole);
    assert_eq!(chat(proxy, "{}").await.status(), 200);
}

#[tokio::test]
async fn trust_comes_back_when_the_enclave_proves_itself_again() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, Duration::from_millis(100)).await;
    host.prove(Proof::Replayed);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(chat(proxy, "{}").await.status(), 502);
    host.prove(Proof::Honest);
    assert_eq!(chat(proxy, "{}").await.status(), 200);
    assert_eq!(get(proxy, "/health").await.status(), 200);
}

#[tokio::test]
async fn a_stream_cut_upstream_ends_in_an_error_event_and_no_done() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Cut);
    let proxy = proxy(&host, NEVER).await;
    let (text, clean) = read(chat(proxy, STREAM).await).await;
    assert!(!clean && !text.contains("[DONE]"), "{text}");
    assert!(
        text.contains("\"content\":\"Hel\"") && !text.contains("half"),
        "{text}"
    );
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let error: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "incomplete_answer");
}

#[tokio::test]
async fn a_plain_answer_cut_upstream_is_an_error_and_not_a_part() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Cut);
    let proxy = proxy(&host, NEVER).await;
    let answer = chat(proxy, "{}").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(json(answer).await["error"]["code"], "incomplete_answer");
}

#[tokio::test]
async fn a_stall_upstream_is_named() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Silence);
    let proxy = proxy(&host, NEVER).await;
    let answer = chat(proxy, "{}").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(json(answer).await["error"]["code"], "stalled");
}

#[tokio::test]
async fn a_program_that_leaves_stops_its_generation() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Endless);
    let proxy = proxy(&host, NEVER).await;
    let answer = chat(proxy, STREAM).await;
    wait_until(|| host.generations() == 1).await;
    drop(answer);
    wait_until(|| host.generations() == 0).await;
}

#[tokio::test]
async fn a_request_over_the_limit_is_413() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    let answer = chat(proxy, &" ".repeat(3 << 20)).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(json(answer).await["error"]["code"], "request_too_large");
}

#[tokio::test]
async fn web_pages_are_refused() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    let request = Request::post("/v1/chat/completions")
        .header("host", "localhost")
        .header("origin", "https://evil.example")
        .body(Full::from(PROMPT))
        .unwrap();
    assert_eq!(send(proxy, request).await.status(), 403);
    assert!(!host.seen().contains(PROMPT));
}

#[tokio::test]
async fn a_proxy_does_not_start_in_front_of_an_enclave_that_is_refused() {
    let host = Host::serving(Enclave::running([7; 48])).await;
    let error = Proxy::start(host.target(), relying_party())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.code(), "launch_digest_unknown");
}

#[tokio::test]
async fn health_says_how_things_stand() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    let health = json(get(proxy, "/health").await).await;
    assert_eq!(
        (&health["status"], &health["verdict"]),
        (&"ok".into(), &"trusted-simulated".into())
    );
}

async fn wait_until(holds: impl Fn() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not come about within four seconds");
}
