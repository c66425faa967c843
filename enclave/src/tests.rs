//! The whole story in one process: a host that answers as it should, an engine that echoes, and a client that speaks TLS.
//!
//! How a relying party verifies the evidence is tested end to end, with the real simulated processor.

mod client;
mod endpoints;
mod epochs;
pub(crate) mod host;
mod offers;
mod owner;
mod pay;
mod receipts;
mod records;
mod relayed;
mod sealed;

use std::{sync::atomic::Ordering, time::Duration};

use chrysalis_attestation::evidence::{
    CpuReport, Evidence, NO_GPUS, Rest, Short,
    binding::{Anchor, Session, SessionDigest, TLS_EXPORTER_LABEL, host_data},
    claims::Claims,
};
use chrysalis_wire::boot::Stage;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::client::TlsStream;

use crate::{
    attest,
    serve::{Bounds, Rate},
    transport::Pace,
};
use client::{CHAT, COMPLETIONS, ask, ask_on, ask_with, connect, request, send};
use host::{FakeHost, Gpus, configuration, enclave, enclave_within, tell};

/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn chat(text: &str) -> Value {
    json!({"model": "tiny", "messages": [{"role": "user", "content": text}]})
}

#[test]
fn the_reference_names_every_stage() {
    let reference = include_str!("../../docs/reference/enclave.md");
    for stage in Stage::ALL {
        assert!(reference.contains(&format!("`{stage}`")), "{stage}");
    }
}

#[tokio::test]
async fn the_story_is_told_in_order_and_ends_when_the_provider_wants() {
    let (host, story) = enclave().await;
    assert_eq!(
        host.stages(),
        [
            Stage::ConfigurationAccepted,
            Stage::DisksOpened,
            Stage::DisksVerified,
            Stage::KeysMade,
            Stage::EnginesReady,
            Stage::KnownAnswersGiven,
            Stage::Attested,
            Stage::Serving,
        ]
    );
    host.stop.notify_waiters();
    story.await.unwrap().unwrap();
    assert!(
        UnixStream::connect(host.folder.path().join("tls.sock"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn another_configuration_than_was_launched_stops_the_boot() {
    let host = FakeHost::start(configuration(), [1; 32]);
    let refused = tell(host.words()).await.unwrap_err();
    assert_eq!(refused.code(), "configuration_refused");
    assert_eq!(host.stages(), []);
}

#[tokio::test]
async fn one_other_byte_of_the_weights_stops_the_boot() {
    let configuration = configuration();
    let digest = host_data(&configuration);
    let host = FakeHost::start(configuration, digest);
    let disk = format!("{}.img", "ab".repeat(32));
    std::fs::write(host.folder.path().join(disk), b"Weights").unwrap();
    assert_eq!(tell(host.words()).await.unwrap_err().code(), "disk_wrong");
}

/// How a boot ends whose configuration wants GPUs, with a host that has these; and whether they were set ready.
async fn end_with(gpu: &str, gpus: Gpus) -> (&'static str, String, bool) {
    let mut configuration = configuration();
    configuration
        .extend_from_slice(format!("[gpu]\nminimum_driver = \"550.54\"\n{gpu}\n").as_bytes());
    let digest = host_data(&configuration);
    let host = FakeHost::with_gpus(configuration, digest, gpus);
    let failure = tell(host.words()).await.unwrap_err();
    // Their answers were shown to the host, which then knows what to fetch for them.
    assert_eq!(*host.shown.lock().unwrap(), gpus.answered());
    let ready = host.ready.load(Ordering::Relaxed);
    (failure.code(), failure.to_string(), ready)
}

#[tokio::test]
async fn gpus_that_do_not_prove_themselves_are_never_set_ready() {
    let (code, why, ready) = end_with("count = [1]", Gpus::Empty).await;
    assert_eq!((code, ready), ("gpu_refused", false), "{why}");
    assert!(why.contains("gpu_evidence_missing"), "{why}");
    let (code, why, ready) = end_with("count = [1]", Gpus::Nonsense).await;
    assert_eq!((code, ready), ("gpu_refused", false), "{why}");
    let (code, why, ready) = end_with("count = [1]", Gpus::None).await;
    assert_eq!((code, ready), ("host_refused", false), "{why}");
}

#[tokio::test]
async fn a_misspelt_wish_for_gpus_stops_the_boot() {
    let (code, why, _) = end_with("cuont = [1]", Gpus::None).await;
    assert_eq!(code, "gpu_policy_invalid");
    assert!(why.contains("count"), "{why}");
}

#[tokio::test]
async fn evidence_is_about_the_nonce_the_connection_and_the_key() {
    let (host, _story) = enclave().await;
    let mut stream = connect(host.folder.path()).await;
    let connection = stream.get_ref().1;
    let exporter = connection
        .export_keying_material([0; 32], TLS_EXPORTER_LABEL, None)
        .unwrap();
    let certificate = connection.peer_certificates().unwrap()[0].clone();
    let start = format!("GET /v1/attestation?nonce={}", "5a".repeat(32));
    let answer = ask(&mut stream, &start, b"").await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert!(
        answer.head.contains("content-type: application/cmw+cbor"),
        "{}",
        answer.head
    );

    let (in_certificate, public_key) = Evidence::from_certificate(&certificate).unwrap();
    let asked = Session::Asked {
        nonce: [0x5a; 32],
        exporter,
    };
    for (evidence, session) in [
        (Evidence::decode(&answer.body).unwrap(), asked),
        (in_certificate, Session::Boot),
    ] {
        // The rebuilders' statements that the host staples are for clients that ask; a certificate has no room for them.
        let stapled = usize::from(session != Session::Boot);
        assert_eq!(evidence.endorsements.statements.len(), stapled);
        let CpuReport::Snp(report) = evidence.cpu else {
            panic!("not SNP");
        };
        let anchor = Anchor::new(&session, &public_key, &evidence.claims);
        assert_eq!(report[0x50..0x90], anchor.report_data(&NO_GPUS));
        let claims = Claims::decode(&evidence.claims).unwrap();
        assert_eq!(claims.configuration, host_data(&host.configuration));
        assert_eq!(
            (
                claims.models[0].name.as_str(),
                claims.engines[0].version.as_str()
            ),
            ("tiny", "fake 1")
        );
        assert_eq!(evidence.endorsements.certificates, [[0x30]]);
    }
}

#[tokio::test]
async fn answers_whole_and_in_pieces() {
    let (host, _story) = enclave().await;
    let answer = request(&host, CHAT, &chat("one two")).await;
    assert_eq!(answer.status, 200);
    let completion = answer.json();
    assert_eq!(completion["choices"][0]["message"]["content"], "one two ");
    assert_eq!(completion["usage"]["total_tokens"], 4);

    let mut streaming = chat("one two");
    streaming["stream"] = json!(true);
    let answer = request(&host, CHAT, &streaming).await;
    assert!(
        answer
            .head
            .contains("content-type: text/event-stream; charset=utf-8\r\n"),
        "{}",
        answer.head
    );
    assert!(
        answer.text().contains("data: [DONE]\n\n"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn what_it_cannot_answer_it_says_with_a_status_and_a_code() {
    let (host, _story) = enclave().await;
    let other_model = json!({"model": "gpt-4o", "messages": []});
    for (start, body, status, code) in [
        (CHAT, Value::String("no object".into()), 400, "invalid_json"),
        (CHAT, other_model, 404, "model_not_found"),
        (CHAT, chat("long"), 400, "context_length_exceeded"),
        (CHAT, chat("crash"), 502, "engine_failed"),
        (CHAT, chat("novel"), 502, "engine_failed"),
        (CHAT, chat(&"x".repeat(1 << 20)), 413, "body_too_large"),
        (
            "GET /v1/chat/completions",
            Value::Null,
            405,
            "method_not_allowed",
        ),
        ("POST /v1/engines", Value::Null, 404, "unknown_url"),
        ("GET /v1/models/other", Value::Null, 404, "model_not_found"),
        (
            "GET /v1/attestation?nonce=00",
            Value::Null,
            400,
            "invalid_value",
        ),
        (
            "GET /v1/attestation",
            Value::Null,
            400,
            "missing_required_parameter",
        ),
    ] {
        let answer = request(&host, start, &body).await;
        assert_eq!(answer.status, status, "{start} {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code, "{start}");
    }
    // Answered only once the engine that crashed above has been restarted.
    assert_eq!(request(&host, CHAT, &chat("still here")).await.status, 200);
    let answer = request(&host, "GET /v1/models/tiny", &Value::Null).await;
    assert_eq!(
        (answer.status, answer.json()["id"].clone()),
        (200, json!("tiny"))
    );
    assert_eq!(
        request(&host, "GET /health", &Value::Null).await.status,
        200
    );
}

#[tokio::test]
async fn texts_are_continued_whole_and_in_pieces() {
    let (host, _story) = enclave().await;
    let mut body = json!({"model": "tiny", "prompt": ["one two", "three"], "echo": true});
    let answer = request(&host, COMPLETIONS, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let completion = answer.json();
    assert_eq!(completion["object"], "text_completion");
    assert_eq!(completion["choices"][0]["text"], "one twoone two ");
    assert_eq!(completion["choices"][1]["text"], "threethree ");
    assert_eq!(completion["usage"]["prompt_tokens"], 3);
    body["stream"] = json!(true);
    let answer = request(&host, COMPLETIONS, &body).await;
    let text = answer.text();
    assert!(text.contains("\"text\":\"two \""), "{text}");
    assert!(text.contains("data: [DONE]\n\n"), "{text}");
}

#[tokio::test]
async fn a_model_says_what_it_is_made_of() {
    let (host, _story) = enclave().await;
    let list = request(&host, "GET /v1/models", &Value::Null).await.json();
    let model = &list["data"][0];
    for (key, value) in [
        ("id", json!("tiny")),
        ("object", json!("model")),
        ("owned_by", json!("chrysalis")),
        ("kind", json!("chat")),
        ("context", json!(100_000)),
        ("tokenizer", Value::Null),
        ("template", json!("ab".repeat(32))),
        ("disk", json!("ab".repeat(32))),
        (
            "engine",
            json!({"name": "fake", "version": "fake 1", "disk": "ab".repeat(32)}),
        ),
    ] {
        assert_eq!(model[key], value, "{key}");
    }
}

#[tokio::test]
async fn credentials_that_are_no_key_are_refused_and_other_keys_are_not() {
    let (host, _story) = enclave().await;
    let body = chat("one").to_string();
    for (header, status, code) in [
        ("authorization: Bearer sk-any\r\n", 200, Value::Null),
        (
            "authorization: Basic YTpi\r\n",
            401,
            json!("invalid_api_key"),
        ),
        (
            "content-type: application/json; charset=latin1\r\n",
            415,
            json!("unsupported_charset"),
        ),
    ] {
        let mut stream = connect(host.folder.path()).await;
        let answer = ask_with(&mut stream, CHAT, header, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{header}");
        assert_eq!(answer.json()["error"]["code"], code, "{header}");
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body() {
    let (host, _story) = enclave().await;
    for (path, status) in [
        ("/v1/models", 200),
        ("/v1/models/", 200),
        ("/v1/models/tiny", 200),
        ("/v1/models/other", 404),
        ("/health", 200),
        ("/v1/chat/completions", 405),
    ] {
        let answer = request(&host, &format!("HEAD {path}"), &Value::Null).await;
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
    }
    let answer = request(&host, "POST /v1/models", &json!({})).await;
    assert_eq!(answer.status, 405);
    assert!(answer.head.contains("allow: GET, HEAD"), "{}", answer.head);
}

#[tokio::test]
async fn a_body_that_is_encoded_is_refused_with_what_is_taken() {
    let (host, _story) = enclave().await;
    let body = chat("one").to_string();
    for (encoding, status) in [
        ("gzip", 415),
        ("identity, br", 415),
        ("identity", 200),
        ("", 200),
    ] {
        let mut stream = connect(host.folder.path()).await;
        let header = format!("content-encoding: {encoding}\r\n");
        let answer = ask_with(&mut stream, CHAT, &header, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{encoding}");
        if status == 415 {
            assert_eq!(
                answer.json()["error"]["code"],
                "unsupported_content_encoding"
            );
            let taken = "accept-encoding: identity";
            assert!(answer.head.contains(taken), "{}", answer.head);
        }
    }
}

#[tokio::test]
async fn a_head_over_the_limit_is_an_error_that_says_so() {
    let (host, _story) = enclave().await;
    for headers in [
        format!("x-big: {}\r\n", "a".repeat(20_000)),
        "x-one: 1\r\n".repeat(65),
    ] {
        let mut stream = connect(host.folder.path()).await;
        let answer = ask_with(&mut stream, "GET /v1/models", &headers, b"").await;
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].clone()),
            (431, json!("head_too_large"))
        );
    }
}

#[tokio::test]
async fn the_head_of_a_stream_goes_out_while_the_request_waits() {
    let (host, _story) = enclave().await;
    let mut first = connect(host.folder.path()).await;
    let mut body = chat("forever");
    body["stream"] = json!(true);
    send(&mut first, &body).await;
    first.read_exact(&mut [0; 16]).await.unwrap();
    let mut waiting = connect(host.folder.path()).await;
    let mut body = chat("one");
    body["stream"] = json!(true);
    send(&mut waiting, &body).await;
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    while !text.contains(": still here\n\n") {
        let length = waiting.read(&mut piece).await.unwrap();
        assert_ne!(length, 0, "{text}");
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    assert!(
        text.starts_with("HTTP/1.1 200 OK") && !text.contains("data:"),
        "{text}"
    );
    // The one before it leaves, and the answer follows the comment.
    drop(first);
    while !text.contains("[DONE]") {
        let length = waiting.read(&mut piece).await.unwrap();
        assert_ne!(length, 0, "{text}");
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    assert!(text.contains("\"content\":\"one \""), "{text}");
}

#[tokio::test]
async fn a_sender_of_a_huge_body_reads_why_it_is_refused() {
    let (host, _story) = enclave().await;
    let answer = ask(
        &mut connect(host.folder.path()).await,
        CHAT,
        &vec![b' '; 8 << 20],
    )
    .await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].clone()),
        (413, json!("body_too_large"))
    );
}

#[tokio::test]
async fn a_full_queue_turns_away_and_says_when_to_come_back() {
    let (host, _story) = enclave().await;
    let mut held = Vec::new();
    // One is answered and two wait; the first must have begun before the others come.
    for _ in 0..3 {
        let mut stream = connect(host.folder.path()).await;
        let mut body = chat("forever");
        body["stream"] = json!(true);
        send(&mut stream, &body).await;
        if held.is_empty() {
            stream.read_exact(&mut [0; 16]).await.unwrap();
        }
        held.push(stream);
    }
    sleep(Duration::from_millis(50)).await;
    let answer = request(&host, CHAT, &chat("me too")).await;
    assert_eq!(answer.status, 429);
    // After as long as a call usually takes.
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);

    // Clients that go away make room: their generations end.
    drop(held);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(request(&host, CHAT, &chat("me now")).await.status, 200);
}

#[tokio::test]
async fn a_stream_that_the_provider_cuts_off_has_no_end() {
    let (host, story) = enclave().await;
    let mut stream = connect(host.folder.path()).await;
    let mut body = chat("forever");
    body["stream"] = json!(true);
    send(&mut stream, &body).await;
    stream.read_exact(&mut [0; 16]).await.unwrap();
    host.stop.notify_waiters();
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("[DONE]"));
    assert!(end.is_err() || !rest.ends_with(b"0\r\n\r\n"));
    story.await.unwrap().unwrap();
}

async fn silent(host: &FakeHost) -> UnixStream {
    let place = host.folder.path().join("tls.sock");
    UnixStream::connect(place).await.unwrap()
}

async fn within_patience<T>(happens: impl Future<Output = T>) -> T {
    timeout(PATIENCE, happens).await.expect("an end in time")
}

/// The other end hangs up.
async fn ends(mut stream: impl AsyncRead + Unpin) {
    let mut rest = Vec::new();
    let _ = within_patience(stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn silent_sockets_lock_nobody_out() {
    let (host, _story) = enclave().await;
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(silent(&host).await);
    }
    let answer = within_patience(request(&host, "GET /health", &Value::Null)).await;
    assert_eq!(answer.status, 200);
    // The first to be silent had to go.
    ends(&mut held[0]).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_begin_has_an_end() {
    let bounds = Bounds {
        handshake: Duration::from_millis(50),
        ..Bounds::default()
    };
    let (host, _story) = enclave_within(bounds).await;
    ends(silent(&host).await).await;
}

#[tokio::test]
async fn idle_connections_give_way_to_a_newcomer() {
    let bounds = Bounds {
        connections: 2,
        ..Bounds::default()
    };
    let (host, _story) = enclave_within(bounds).await;
    let first = connect(host.folder.path()).await;
    // A request that has only begun gets no answer.
    let mut second = connect(host.folder.path()).await;
    second.write_all(b"GET /health HT").await.unwrap();
    let mut newcomers = Vec::new();
    for _ in 0..2 {
        let mut newcomer = connect(host.folder.path()).await;
        assert_eq!(ask_on(&mut newcomer, "GET /health").await.status, 200);
        newcomers.push(newcomer);
    }
    ends(first).await;
    ends(second).await;
}

#[tokio::test]
async fn a_connection_that_is_answered_keeps_its_place() {
    let bounds = Bounds {
        connections: 1,
        ..Bounds::default()
    };
    let (host, _story) = enclave_within(bounds).await;
    let mut stream = connect(host.folder.path()).await;
    let mut body = chat("forever");
    body["stream"] = json!(true);
    send(&mut stream, &body).await;
    stream.read_exact(&mut [0; 16]).await.unwrap();
    ends(connect(host.folder.path()).await).await;
    let more = timeout(Duration::from_millis(100), async {
        while stream.read(&mut [0; 1024]).await.unwrap() > 0 {}
    });
    assert!(more.await.is_err(), "the answer ended");
    // Once its client goes, there is a place again.
    drop(stream);
    is_served_again(&host).await;
}

#[tokio::test]
async fn a_client_that_ends_its_side_has_gone() {
    let (host, _story) = enclave().await;
    let mut stream = connect(host.folder.path()).await;
    let mut body = chat("forever");
    body["stream"] = json!(true);
    send(&mut stream, &body).await;
    stream.read_exact(&mut [0; 16]).await.unwrap();
    // It could still read, and the engine is free for the next client.
    stream.shutdown().await.unwrap();
    let next = within_patience(request(&host, CHAT, &chat("next"))).await;
    assert_eq!(next.status, 200);
    ends(stream).await;
}

/// Waits until there is a place for a client.
async fn is_served_again(host: &FakeHost) {
    let ask = async || {
        let mut client = connect(host.folder.path()).await;
        let question = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(question).await?;
        client.flush().await?;
        client.read_exact(&mut [0; 16]).await
    };
    within_patience(async {
        while ask().await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn flood() -> Value {
    let mut body = chat("flood");
    body["stream"] = json!(true);
    body["max_tokens"] = json!(100_000);
    body
}

#[tokio::test]
async fn a_client_that_reads_slowly_holds_nobody_up_and_learns_why_its_answer_ends() {
    let bounds = Bounds {
        header: Duration::from_secs(10),
        ..Bounds::default()
    };
    let (host, _story) = enclave_within(bounds).await;
    let mut slow = connect(host.folder.path()).await;
    send(&mut slow, &flood()).await;
    slow.read_exact(&mut [0; 16]).await.unwrap();
    let mut read = Vec::new();
    // Faster than the minimum pace, and far slower than the answer is generated.
    let reading = async {
        loop {
            let mut piece = [0; 16 << 10];
            let length = slow.read(&mut piece).await.unwrap();
            read.extend_from_slice(&piece[..length]);
            sleep(Duration::from_secs(1)).await;
        }
    };
    let next = chat("next");
    let answer = tokio::select! {
        answer = request(&host, CHAT, &next) => answer,
        () = reading => panic!("it reads for ever"),
        () = sleep(PATIENCE) => panic!("the engine waits for a reader"),
    };
    assert_eq!(answer.status, 200);
    // It ends like an idle connection, without a word of TLS.
    let _ = within_patience(slow.read_to_end(&mut read)).await;
    let text = String::from_utf8_lossy(&read);
    assert!(text.contains("answer_not_read"), "{}", text.len());
    assert!(!text.contains("[DONE]"));
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_loses_its_place() {
    let bounds = Bounds {
        connections: 1,
        pace: Pace {
            patience: Duration::from_millis(100),
            bytes_a_second: u32::MAX,
        },
        ..Bounds::default()
    };
    let (host, _story) = enclave_within(bounds).await;
    let mut slow = connect(host.folder.path()).await;
    send(&mut slow, &flood()).await;
    slow.read_exact(&mut [0; 16]).await.unwrap();
    is_served_again(&host).await;
    ends(slow).await;
}

fn attestation() -> String {
    format!("GET /v1/attestation?nonce={}", "5a".repeat(32))
}

#[tokio::test]
async fn one_connection_asks_for_evidence_so_often_and_no_more() {
    let bounds = Bounds {
        evidence: Rate {
            burst: 2,
            every: Duration::from_hours(1),
        },
        ..Bounds::default()
    };
    let (host, _story) = enclave_within(bounds).await;
    let mut stream = connect(host.folder.path()).await;
    for _ in 0..2 {
        assert_eq!(ask_on(&mut stream, &attestation()).await.status, 200);
    }
    let refused = ask_on(&mut stream, &attestation()).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].clone()),
        (429, json!("attestation_busy"))
    );
    assert!(refused.head.contains("retry-after: 5"), "{}", refused.head);
    // Only evidence is refused, and only here.
    assert_eq!(ask_on(&mut stream, "GET /health").await.status, 200);
    let other = request(&host, &attestation(), &Value::Null).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn no_more_wait_for_evidence_than_the_desk_has_room_for() {
    let bounds = Bounds {
        desk: attest::Bounds {
            waiting: 1,
            together: 1,
            patience: Duration::from_hours(1),
        },
        ..Bounds::default()
    };
    let (host, _story) = enclave_within(bounds).await;
    let signing = host.reports.acquire().await.unwrap();
    let mut asked = JoinSet::new();
    for _ in 0..3 {
        let mut stream = connect(host.folder.path()).await;
        asked.spawn(async move { ask_on(&mut stream, &attestation()).await });
    }
    let refused = within_patience(asked.join_next()).await.unwrap().unwrap();
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].clone()),
        (429, json!("attestation_busy"))
    );
    assert!(refused.head.contains("retry-after: 5"), "{}", refused.head);
    drop(signing);
    while let Some(answer) = within_patience(asked.join_next()).await {
        assert_eq!(answer.unwrap().status, 200);
    }
}

/// Asks on this connection for evidence about `nonce`. What came, and the session that it has to be about, hashed with the key.
async fn evidence_for(
    stream: &mut TlsStream<UnixStream>,
    nonce: u8,
    more: &str,
) -> (Vec<u8>, SessionDigest, Vec<u8>) {
    let connection = stream.get_ref().1;
    let exporter = connection
        .export_keying_material([0; 32], TLS_EXPORTER_LABEL, None)
        .unwrap();
    let certificate = connection.peer_certificates().unwrap()[0].clone();
    let (_, key) = Evidence::from_certificate(&certificate).unwrap();
    let digits = format!("{nonce:02x}").repeat(32);
    let start = format!("GET /v1/attestation?nonce={digits}{more}");
    let answer = ask_on(stream, &start).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let nonce = [nonce; 32];
    let session = Session::Asked { nonce, exporter }.digest(&key);
    (answer.body, session, key)
}

#[tokio::test]
async fn all_that_ask_during_one_report_share_the_next() {
    let (host, _story) = enclave().await;
    let signing = host.reports.acquire().await.unwrap();
    let mut asked = JoinSet::new();
    for number in 0..9 {
        let mut stream = connect(host.folder.path()).await;
        asked.spawn(async move { evidence_for(&mut stream, number, "").await });
        if number == 0 {
            // The first has the processor to itself.
            sleep(Duration::from_millis(300)).await;
        }
    }
    sleep(Duration::from_millis(300)).await;
    drop(signing);
    let mut places = Vec::new();
    while let Some(answer) = within_patience(asked.join_next()).await {
        let (bundle, session, key) = answer.unwrap();
        let evidence = Evidence::decode(&bundle).unwrap();
        let path = evidence.path;
        let asked = path.as_ref().map_or(session, |path| path.root(&session));
        let CpuReport::Snp(report) = evidence.cpu else {
            panic!("not SNP");
        };
        let anchor = Anchor::over(&asked, &key, &evidence.claims);
        assert_eq!(report[0x50..0x90], anchor.report_data(&NO_GPUS));
        places.push(path.map(|path| (path.index(), path.count())));
    }
    places.sort_unstable();
    let shared = (0..8).map(|index| Some((index, 8)));
    assert_eq!(places, [None].into_iter().chain(shared).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_has_the_rest_gets_a_short_bundle_that_it_can_fill() {
    let (host, _story) = enclave().await;
    let mut stream = connect(host.folder.path()).await;
    let (whole, ..) = evidence_for(&mut stream, 1, "").await;
    let rest = Rest::of(&Evidence::decode(&whole).unwrap());
    let have = format!("&have={},{}", "00".repeat(32), hex::encode(rest.digest()));
    let (bundle, session, key) = evidence_for(&mut stream, 2, &have).await;
    let short = Short::decode(&bundle).unwrap().unwrap();
    let evidence = short.fill(&rest).unwrap();
    assert_eq!(evidence.endorsements.certificates, [[0x30]]);
    let CpuReport::Snp(report) = &evidence.cpu else {
        panic!("not SNP");
    };
    let anchor = Anchor::over(&session, &key, &evidence.claims);
    assert_eq!(report[0x50..0x90], anchor.report_data(&NO_GPUS));
    // Another digest is no reason to leave anything out.
    let other = format!("&have={}", "00".repeat(32));
    let (bundle, ..) = evidence_for(&mut stream, 3, &other).await;
    assert!(Evidence::decode(&bundle).is_ok());
    let wrong = format!("{}&have=abc", attestation());
    let refused = ask_on(&mut stream, &wrong).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(refused.json()["error"]["param"], "have");
}

#[tokio::test]
async fn nobody_waits_for_evidence_for_ever() {
    let bounds = Bounds {
        desk: attest::Bounds {
            waiting: 1,
            together: 1,
            patience: Duration::from_millis(50),
        },
        ..Bounds::default()
    };
    let (host, _story) = enclave_within(bounds).await;
    let _signing = host.reports.acquire().await.unwrap();
    let mut asked = JoinSet::new();
    for _ in 0..2 {
        let mut stream = connect(host.folder.path()).await;
        asked.spawn(async move { ask_on(&mut stream, &attestation()).await });
    }
    let refused = within_patience(asked.join_next()).await.unwrap().unwrap();
    assert_eq!(refused.status, 429);
}

#[tokio::test]
async fn a_clock_before_the_build_of_the_image_stops_the_boot() {
    let configuration = configuration();
    let digest = host_data(&configuration);
    let host = FakeHost::start(configuration, digest);
    for (word, code) in [
        (None, "not_before_missing"),
        (Some("not_before=today"), "not_before_invalid"),
        (Some("not_before=9999-12-31"), "clock_too_early"),
    ] {
        let mut words = host.words();
        words.retain(|word| !word.starts_with("not_before="));
        words.extend(word.map(str::to_owned));
        assert_eq!(tell(words).await.unwrap_err().code(), code);
    }
    assert_eq!(host.stages(), []);
}
