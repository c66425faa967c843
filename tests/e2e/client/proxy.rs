//! The local proxy: what programs see that know nothing of attestation.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use chrysalis_client::proxy::{Access, Door, DoorError, Proxy, Token};
use chrysalis_wire::api;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, Version, body::Incoming, client::conn::http1, header::HeaderMap};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use crate::stage::{Enclave, Host, Proof, Reply, relying_party};

const PROMPT: &str = "the prompt that must not leave";
const STREAM: &str = "{\"stream\":true}";
/// Longer than any test.
const NEVER: Duration = Duration::from_hours(1);

/// A proxy to `host` that verifies again after each `interval`.
async fn proxy(host: &Host, interval: Duration) -> SocketAddr {
    open(host, interval, Access::default()).await
}

/// The same for those whom `access` allows.
async fn open(host: &Host, interval: Duration, access: Access) -> SocketAddr {
    let proxy = Proxy::start(host.target(), relying_party()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let door = Door::open(listener, access).unwrap();
    tokio::spawn(async move { proxy.serve(door, interval).await });
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
    ask(proxy, "GET", path, &[]).await
}

/// A request without a body and with these headers; without a `host` among them, with the proxy's.
async fn ask(
    proxy: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Response<Incoming> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", proxy.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(proxy, request.body(Full::default()).unwrap()).await
}

async fn code(answer: Response<Incoming>) -> (u16, String) {
    let status = answer.status().as_u16();
    let code = json(answer).await["error"]["code"].take();
    (status, code.as_str().unwrap_or_default().to_owned())
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
    let keys = [("api-key", "local-secret"), ("x-api-key", "local-secret")];
    read(ask(proxy, "GET", "/v1/models", &keys).await).await;
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
async fn a_program_that_ends_its_side_counts_as_gone() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Endless);
    let proxy = proxy(&host, NEVER).await;
    let mut program = TcpStream::connect(proxy).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {proxy}\r\ncontent-length: {}\r\n\r\n{STREAM}",
        STREAM.len()
    );
    program.write_all(head.as_bytes()).await.unwrap();
    wait_until(|| host.generations() == 1).await;
    program.shutdown().await.unwrap();
    wait_until(|| host.generations() == 0).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_as_at_the_enclave() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    let fits = chat(proxy, &" ".repeat(api::MAX_BODY)).await;
    assert_eq!(fits.status(), 200);
    for length in [api::MAX_BODY + 1, 3 << 20] {
        let answer = chat(proxy, &" ".repeat(length)).await;
        assert_eq!(code(answer).await, (413, "body_too_large".to_owned()));
    }
}

#[tokio::test]
async fn a_head_over_the_limit_is_431_and_says_why() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    let big = "a".repeat(20_000);
    let huge = "a".repeat(200_000);
    let many = vec![("x-one", "1"); api::MAX_HEADERS];
    for headers in [&[("x-big", big.as_str())][..], &[("x-big", &huge)], &many] {
        let answer = ask(proxy, "GET", "/v1/models", headers).await;
        assert_eq!(code(answer).await, (431, "head_too_large".to_owned()));
    }
    assert!(!host.seen().contains("/v1/models"));
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    for path in ["/v1/models", "/health", "/health/"] {
        let answer = ask(proxy, "HEAD", path, &[]).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(read(answer).await, (String::new(), true));
    }
    let answer = ask(proxy, "POST", "/health", &[]).await;
    assert_eq!(answer.headers()["allow"], "GET, HEAD");
    assert_eq!(code(answer).await, (405, "method_not_allowed".to_owned()));
    assert_eq!(host.connections(), 1);
}

#[tokio::test]
async fn requests_of_http_1_0_share_one_verified_connection() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    for _ in 0..3 {
        let request = Request::get("/v1/models")
            .version(Version::HTTP_10)
            .header("host", proxy.to_string())
            .body(Full::default())
            .unwrap();
        let answer = send(proxy, request).await;
        assert_eq!(answer.status(), 200);
        assert!(read(answer).await.0.contains("Hello"));
    }
    assert_eq!(host.connections(), 1);
    assert!(!host.seen().contains("HTTP/1.0"));
}

/// Moves the clock without waiting, and only while nothing else goes by it.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_connection_is_retired_before_the_enclave_closes_it() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    read(chat(proxy, "{}").await).await;
    pass(api::RETIRED / 2).await;
    read(chat(proxy, "{}").await).await;
    assert_eq!(host.connections(), 1);
    pass(api::RETIRED).await;
    assert_eq!(chat(proxy, "{}").await.status(), 200);
    assert_eq!(host.connections(), 2);
}

#[tokio::test]
async fn connections_of_many_requests_at_once_are_kept_for_the_next_ones() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    for _ in 0..2 {
        host.reply(Reply::Deaf);
        let mut chats = JoinSet::new();
        for _ in 0..8 {
            chats.spawn(async move { chat(proxy, "{}").await.status() });
        }
        wait_until(|| host.connections() == 8).await;
        host.reply(Reply::Whole);
        while !chats.is_empty() {
            host.hear();
            if let Ok(Some(status)) = timeout(Duration::from_millis(5), chats.join_next()).await {
                assert_eq!(status.unwrap(), 200);
            }
        }
        assert_eq!(host.connections(), 8);
    }
}

#[tokio::test]
async fn a_reused_connection_that_dies_before_an_answer_costs_no_error() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    for body in ["{}", STREAM] {
        read(chat(proxy, "{}").await).await;
        let before = host.connections();
        host.cut(1);
        let answer = chat(proxy, body).await;
        assert_eq!(answer.status(), 200);
        assert!(read(answer).await.1);
        assert_eq!(host.connections(), before + 1);
    }
}

#[tokio::test]
async fn a_new_connection_that_dies_before_an_answer_is_an_error() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    host.cut(usize::MAX);
    let answer = chat(proxy, "{}").await;
    assert_eq!(code(answer).await, (502, "incomplete_answer".to_owned()));
    // The one that was idle, and one new one.
    assert_eq!(host.connections(), 2);
}

#[tokio::test]
async fn a_request_for_another_host_is_misdirected() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    let port = proxy.port();
    for name in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("0.0.0.0:{port}"),
        "localhost".to_owned(),
        "127.0.0.1:1".to_owned(),
    ] {
        for path in ["/health", "/v1/models", "/v1/chat/completions"] {
            let answer = ask(proxy, "GET", path, &[("host", &name)]).await;
            assert_eq!(answer.status(), 421, "{name} {path}");
            let error = json(answer).await;
            assert_eq!(error["error"]["code"], "misdirected_request");
            assert_eq!(error["error"]["type"], "invalid_request_error");
            assert!(!error.to_string().contains(&host.target().to_string()));
        }
    }
    let forwarding = format!("http://evil.example:{port}/v1/models");
    assert_eq!(ask(proxy, "GET", &forwarding, &[]).await.status(), 421);
    let two = [("host", "evil.example"), ("host", "localhost")];
    let answer = ask(proxy, "GET", "/v1/models", &two).await;
    assert_eq!(code(answer).await, (400, "invalid_host".to_owned()));
    for name in ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"] {
        let own = format!("{name}:{port}");
        let answer = ask(proxy, "GET", "/health", &[("host", &own)]).await;
        assert_eq!(answer.status(), 200, "{own}");
    }
    assert!(!host.seen().contains("/v1/models"));
}

#[tokio::test]
async fn a_name_that_was_given_is_answered_to() {
    let host = Host::serving(Enclave::honest()).await;
    let access = Access {
        host_names: vec!["llm.example".parse().unwrap()],
        ..Access::default()
    };
    let proxy = open(&host, NEVER, access).await;
    for (name, status) in [("llm.example", 200), ("evil.example", 421)] {
        let answer = ask(proxy, "GET", "/health", &[("host", name)]).await;
        assert_eq!(answer.status(), status, "{name}");
    }
}

#[tokio::test]
async fn web_pages_are_refused() {
    let host = Host::serving(Enclave::honest()).await;
    let proxy = proxy(&host, NEVER).await;
    let refused = (403, "web_page_refused".to_owned());
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[
            ("origin", "http://localhost:3000"),
            ("sec-fetch-site", "same-site"),
        ],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
    ] {
        for path in ["/health", "/v1/models"] {
            let answer = ask(proxy, "GET", path, headers).await;
            assert!(!answer.headers().contains_key("access-control-allow-origin"));
            assert_eq!(code(answer).await, refused, "{headers:?}");
        }
    }
    let request = Request::post("/v1/chat/completions")
        .header("host", proxy.to_string())
        .header("origin", "https://evil.example")
        .body(Full::from(PROMPT))
        .unwrap();
    assert_eq!(code(send(proxy, request).await).await, refused);
    // A person who types the address, and a program on Node.js.
    for typed in [("sec-fetch-site", "none"), ("sec-fetch-mode", "cors")] {
        assert_eq!(ask(proxy, "GET", "/health", &[typed]).await.status(), 200);
    }
    assert!(!host.seen().contains(PROMPT) && !host.seen().contains("/v1/models"));
}

#[tokio::test]
async fn an_app_that_is_a_page_is_answered_where_its_origin_is_allowed() {
    const APP: &str = "app://obsidian.md";
    let host = Host::serving(Enclave::honest()).await;
    let access = Access {
        origins: vec![APP.parse().unwrap()],
        ..Access::default()
    };
    let proxy = open(&host, NEVER, access).await;
    let from_app = [("origin", APP), ("sec-fetch-site", "cross-site")];
    for (method, path, status) in [
        ("GET", "/v1/models", 200),
        ("GET", "/health", 200),
        ("POST", "/health", 405),
    ] {
        let answer = ask(proxy, method, path, &from_app).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["access-control-allow-origin"], APP);
        assert_eq!(answer.headers()["access-control-expose-headers"], "*");
        assert_eq!(answer.headers()["vary"], "Origin");
    }
    assert!(!host.seen().contains("obsidian"));

    let preflight = [
        ("origin", APP),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type,x-stainless-os",
        ),
        ("access-control-request-private-network", "true"),
    ];
    let answer = ask(proxy, "OPTIONS", "/v1/chat/completions", &preflight).await;
    assert_eq!(answer.status(), 204);
    for (name, value) in [
        ("access-control-allow-origin", APP),
        ("access-control-allow-methods", "GET, HEAD, POST"),
        (
            "access-control-allow-headers",
            "authorization,content-type,x-stainless-os",
        ),
        ("access-control-allow-private-network", "true"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    let seen = host.seen();
    assert!(!seen.contains("OPTIONS"), "{seen}");

    for evil in ["https://evil.example", "app://obsidian.md.evil.example"] {
        let asks = [("origin", evil), ("access-control-request-method", "POST")];
        let answer = ask(proxy, "OPTIONS", "/v1/chat/completions", &asks).await;
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
        assert_eq!(answer.status(), 403);
    }
    let two = [("origin", APP), ("origin", "https://evil.example")];
    assert_eq!(ask(proxy, "GET", "/health", &two).await.status(), 403);
    let elsewhere = [("origin", APP), ("host", "evil.example")];
    assert_eq!(ask(proxy, "GET", "/health", &elsewhere).await.status(), 421);
}

#[tokio::test]
async fn where_there_is_a_token_every_request_shows_it() {
    const APP: &str = "http://localhost:3000";
    const TOKEN: &str = "0123456789abcdef";
    let host = Host::serving(Enclave::honest()).await;
    let access = Access {
        token: Some(Token::new(TOKEN).unwrap()),
        origins: vec![APP.parse().unwrap()],
        ..Access::default()
    };
    let proxy = open(&host, NEVER, access).await;
    let right = format!("Bearer {TOKEN}");
    let wrong = format!("Bearer {TOKEN}0");
    for path in ["/health", "/v1/models"] {
        for headers in [
            &[][..],
            &[("authorization", wrong.as_str())],
            &[("authorization", TOKEN)],
            &[("authorization", &right), ("authorization", &wrong)],
        ] {
            let answer = ask(proxy, "GET", path, headers).await;
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            assert_eq!(code(answer).await, (401, "invalid_api_key".to_owned()));
        }
        let answer = ask(proxy, "GET", path, &[("authorization", &right)]).await;
        assert_eq!(answer.status(), 200);
    }
    assert!(!host.seen().contains(TOKEN));
    // A browser asks without it, and its page is to read why it was refused.
    let asks = [("origin", APP), ("access-control-request-method", "GET")];
    assert_eq!(
        ask(proxy, "OPTIONS", "/v1/models", &asks).await.status(),
        204
    );
    let answer = ask(proxy, "GET", "/v1/models", &[("origin", APP)]).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], APP);
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn other_machines_are_let_in_only_explicitly_and_with_a_token() {
    let token = || Some(Token::new("0123456789abcdef").unwrap());
    for (address, remote, with_token, refused) in [
        ("0.0.0.0:0", false, true, Some("BeyondLoopback")),
        ("[::]:0", false, false, Some("BeyondLoopback")),
        ("0.0.0.0:0", true, false, Some("NoToken")),
        ("0.0.0.0:0", true, true, None),
        ("127.0.0.1:0", false, false, None),
    ] {
        let Ok(listener) = TcpListener::bind(address).await else {
            continue; // A machine without IPv6.
        };
        let access = Access {
            remote,
            token: token().filter(|_| with_token),
            ..Access::default()
        };
        let found = match Door::open(listener, access) {
            Ok(_) => None,
            Err(DoorError::BeyondLoopback(_)) => Some("BeyondLoopback"),
            Err(DoorError::NoToken(_)) => Some("NoToken"),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, refused, "{address}");
    }
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
