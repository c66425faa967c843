//! Requests that come through a relay: the whole way, and each way in which one is refused.

use std::process::{Command, Stdio};

use chrysalis_attestation::{
    encoding::digest::sha256,
    evidence::{Evidence, claims::Claims},
};
use chrysalis_ohttp::{
    AnswerReader, Awaiting, Configuration, Form, Part, Request, content, encapsulate, head,
};
use chrysalis_test_support::skip;
use chrysalis_wire::content::Content;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{
    chat,
    client::{Answer, ask, ask_with, connect},
    host::{FakeHost, enclave},
};

const KEYS: &str = "GET /v1/ohttp-keys";
const OHTTP: &str = "POST /v1/ohttp";

async fn keys(host: &FakeHost) -> Vec<u8> {
    let answer = ask(&mut connect(host.folder.path()).await, KEYS, b"").await;
    assert!(answer.head.contains("content-type: application/ohttp-keys"));
    answer.body
}

/// A request for `authority`, as a client encapsulates it.
fn inside(start: &str, authority: &str, body: &Value) -> Vec<u8> {
    let (method, path) = start.split_once(' ').unwrap();
    let request = Request {
        method: method.into(),
        scheme: b"https".to_vec(),
        authority: authority.into(),
        path: path.into(),
        headers: Vec::new(),
        body: body.to_string().into(),
    };
    request.encode_padded().unwrap()
}

async fn sealed(host: &FakeHost, form: Form, message: &[u8]) -> (Vec<u8>, Awaiting) {
    let best = Configuration::best(&keys(host).await).unwrap();
    encapsulate(&best, form, message).unwrap()
}

/// What the relay hears.
async fn relay(host: &FakeHost, kind: &str, sealed: &[u8]) -> Answer {
    let header = format!("content-type: {kind}\r\n");
    let mut stream = connect(host.folder.path()).await;
    let mut answer = ask_with(&mut stream, OHTTP, &header, sealed).await;
    if answer.head.contains("transfer-encoding: chunked") {
        answer.body = unchunked(&answer.body);
    }
    answer
}

/// HTTP's own chunks joined (RFC 9112 §7.1), up to where they end.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut joined = Vec::new();
    while let Some(end) = body.windows(2).position(|it| it == b"\r\n") {
        let length = std::str::from_utf8(&body[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        joined.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 4 + length..];
    }
    joined
}

/// Status and content of an opened answer.
fn read(message: &[u8]) -> (u16, String) {
    let mut reader = AnswerReader::default();
    reader.push(message);
    let (mut status, mut body) = (0, Vec::new());
    while let Some(part) = reader.next_part().unwrap() {
        match part {
            Part::Head(head) => status = head.status,
            Part::Content(piece) => body.extend(piece),
        }
    }
    assert!(reader.is_over());
    (status, String::from_utf8(body).unwrap())
}

/// Asks whole, and opens the answer.
async fn asked(host: &FakeHost, start: &str, authority: &str, body: &Value) -> (u16, String) {
    let message = inside(start, authority, body);
    let (request, awaiting) = sealed(host, Form::Whole, &message).await;
    let answer = relay(host, "message/ohttp-req", &request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.head.contains("content-type: message/ohttp-res"));
    read(&awaiting.open(&answer.body).unwrap())
}

const CHAT: &str = "POST /v1/chat/completions";

#[tokio::test]
async fn evidence_covers_the_keys() {
    let (host, _story) = enclave().await;
    let start = format!("GET /v1/attestation?nonce={}", "5a".repeat(32));
    let answer = ask(&mut connect(host.folder.path()).await, &start, b"").await;
    let evidence = Evidence::decode(&answer.body).unwrap();
    let claims = Claims::decode(&evidence.claims).unwrap();
    assert_eq!(claims.hpke_key, sha256(&[&keys(&host).await]));
}

#[tokio::test]
async fn an_answer_comes_sealed_whole_and_in_pieces() {
    let (host, _story) = enclave().await;
    for authority in ["enclave", "enclave.invalid"] {
        let (status, text) = asked(&host, CHAT, authority, &chat("one two")).await;
        assert_eq!(status, 200, "{text}");
        let whole: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(whole["choices"][0]["message"]["content"], "one two ");
    }
    let (status, text) = asked(&host, "GET /v1/models", "enclave", &json!({})).await;
    assert!(status == 200 && text.contains("tiny"), "{text}");

    let mut streaming = chat("one two");
    streaming["stream"] = json!(true);
    let message = inside(CHAT, "enclave", &streaming);
    let (request, awaiting) = sealed(&host, Form::Chunked, &message).await;
    let answer = relay(&host, "message/ohttp-chunked-req", &request).await;
    assert!(
        answer
            .head
            .contains("content-type: message/ohttp-chunked-res")
    );
    let mut opener = awaiting.opener();
    let mut heard = opener.push(&answer.body).unwrap();
    heard.extend(opener.finish().unwrap());
    let (status, text) = read(&heard);
    assert_eq!(status, 200);
    let events = Content::default().push(text.as_bytes());
    assert!(events.ends_with(b"data: [DONE]\n\n"), "{text}");
    // What is sealed shows its length, so it is filled before: pieces of other words have the same one.
    assert!(text.len() > events.len(), "{text}");
}

#[tokio::test]
async fn each_wrong_request_is_refused_by_name() {
    let (host, _story) = enclave().await;
    let message = inside(CHAT, "enclave", &chat("one two"));
    let (request, _) = sealed(&host, Form::Whole, &message).await;
    let (chunked, _) = sealed(&host, Form::Chunked, &message).await;
    let code = async |kind: &str, sealed: &[u8]| {
        let answer = relay(&host, kind, sealed).await;
        let code = answer.json()["error"]["code"].as_str().map(str::to_owned);
        (answer.status, code.unwrap_or_default())
    };
    let whole = "message/ohttp-req";
    let told = |status, code: &str| (status, code.to_owned());
    assert_eq!(
        code(whole, &request[..7]).await,
        told(400, "encapsulation_truncated")
    );
    let mut altered = request.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(
        code(whole, &altered).await,
        told(400, "encapsulation_altered")
    );
    let last = chunked.len() - 17;
    let unfinished = code("message/ohttp-chunked-req", &chunked[..last]).await;
    assert_eq!(unfinished, told(400, "final_chunk_missing"));
    assert_eq!(
        code("application/json", &request).await,
        told(415, "not_encapsulated")
    );
    let long = vec![0; 3 << 20];
    assert_eq!(code(whole, &long).await, told(413, "body_too_large"));
    // What was refused above was never opened, so it is not a replay yet.
    assert_eq!(relay(&host, whole, &request).await.status, 200);
    assert_eq!(code(whole, &request).await, told(400, "request_replayed"));

    let mut stale = request;
    stale[0] ^= 0x80;
    let answer = relay(&host, whole, &stale).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .head
            .contains("content-type: application/problem+json")
    );
    assert!(answer.text().contains("#ohttp-key"));
}

#[tokio::test]
async fn what_is_inside_is_refused_inside() {
    let (host, _story) = enclave().await;
    for (start, authority, expected, code) in [
        (CHAT, "another.example", 421, "misdirected_request"),
        (KEYS, "enclave", 404, "unknown_url"),
        (OHTTP, "enclave", 404, "unknown_url"),
        ("GET /v1/attestation", "enclave", 404, "unknown_url"),
        ("GET /nowhere", "enclave", 404, "unknown_url"),
        (
            "GET http://another.example/v1/models",
            "enclave",
            400,
            "encapsulation_malformed",
        ),
        ("GET models", "enclave", 400, "encapsulation_malformed"),
    ] {
        let (status, text) = asked(&host, start, authority, &json!({})).await;
        assert_eq!(status, expected, "{start}: {text}");
        assert!(text.contains(code), "{start}: {text}");
    }
    let answer = [head(200, []), content(b"hello"), vec![0, 0]].concat();
    let (request, awaiting) = sealed(&host, Form::Whole, &answer).await;
    let answer = relay(&host, "message/ohttp-req", &request).await;
    let (status, text) = read(&awaiting.open(&answer.body).unwrap());
    assert!(
        status == 400 && text.contains("encapsulation_malformed"),
        "{text}"
    );
}

/// OpenSSL as a client: of Debian 13, or the one that `CHRYSALIS_OPENSSL` names.
#[tokio::test]
async fn openssl_agrees_on_post_quantum_keys() {
    let openssl = std::env::var_os("CHRYSALIS_OPENSSL").unwrap_or_else(|| "openssl".into());
    let (host, _story) = enclave().await;
    let socket = host.folder.path().join("tls.sock");
    let asking = move || {
        Command::new(openssl)
            .args(["s_client", "-brief", "-tls1_3", "-unix"])
            .arg(socket)
            .args(["-groups", "X25519MLKEM768"])
            .stdin(Stdio::null())
            .output()
    };
    let Ok(told) = spawn_blocking(asking).await.unwrap() else {
        return skip("no openssl; CHRYSALIS_OPENSSL names one");
    };
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    if told.contains("cannot be set") {
        return skip("OpenSSL is older than 3.5; CHRYSALIS_OPENSSL names another");
    }
    assert!(
        told.contains("Negotiated TLS1.3 group: X25519MLKEM768"),
        "{told}"
    );
}

#[tokio::test]
async fn nobody_pays_through_a_relay() {
    let (host, _story) = super::pay::enclave("required").await;
    let (status, text) = asked(&host, CHAT, "enclave", &chat("one")).await;
    assert_eq!(status, 402, "{text}");
    assert!(text.contains("payment_required"), "{text}");
    let (host, _story) = super::pay::enclave("optional").await;
    let (status, text) = asked(&host, CHAT, "enclave", &chat("one")).await;
    assert_eq!(status, 200, "{text}");
}
