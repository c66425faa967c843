//! Epochs through the whole enclave: they turn, and when something fails that is asked again, every stream ends by name and no key
//! signs any more.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrysalis_attestation::evidence::{Evidence, binding::host_data, claims::Claims};
use chrysalis_simulate::nvidia::opaque;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::client::TlsStream;

use super::{
    PATIENCE,
    client::{ask, ask_on, connect},
    host::{FakeHost, GpuAnswers, Gpus, answer, attested, configuration},
};
use crate::{
    engine::fake::{self, Play, Said},
    failure::Failure,
    keys::Keys,
    serve::Bounds,
};

/// How long an epoch lasts in tests: a twentieth of what may be the least.
const EPOCH: Duration = Duration::from_secs(3);

/// An enclave with a GPU, which computes more calls at once than a test makes; its keys; and how it ends.
pub(super) async fn enclave(
    play: Play,
    epoch: Duration,
) -> (FakeHost, Keys, JoinHandle<Result<(), Failure>>) {
    let text = String::from_utf8(configuration()).unwrap();
    let text = text.replace("parallel = 1", "parallel = 8");
    let gpu = "[gpu]\ncount = [1]\nminimum_driver = \"550.54\"\nrevocation = \"stapled\"\n";
    let configuration = format!("{text}{gpu}").into_bytes();
    let digest = host_data(&configuration);
    let host = FakeHost::with_gpus(configuration, digest, Gpus::Simulated);
    let attested = attested(host.words(), play).await.unwrap();
    let keys = attested.attester.keys().clone();
    let bounds = Bounds {
        epoch: Some(epoch),
        ..Bounds::default()
    };
    let story = tokio::spawn(attested.serve_within(bounds));
    host.serves(&story).await;
    (host, keys, story)
}

fn claims(evidence: &Evidence) -> Claims {
    Claims::decode(&evidence.claims).unwrap()
}

/// The evidence in the certificate of a new connection, and that connection.
async fn certificate(host: &FakeHost) -> (Evidence, TlsStream<UnixStream>) {
    let stream = connect(host.folder.path()).await;
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (evidence, _) = Evidence::from_certificate(&certificate).unwrap();
    (evidence, stream)
}

#[tokio::test]
async fn the_next_epoch_has_evidence_of_its_own_and_open_connections_go_on() {
    let (host, _keys, _story) = enclave(fake::echo, Duration::from_millis(500)).await;
    let (first, mut open) = certificate(&host).await;
    assert_eq!(claims(&first).epoch, 0);
    assert_eq!(claims(&first).epoch_seconds, 600);
    let later = timeout(PATIENCE, async {
        loop {
            let (evidence, stream) = certificate(&host).await;
            if claims(&evidence).epoch > 0 {
                return (evidence, stream);
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let (later, mut stream) = later.await.unwrap();
    assert_ne!(later.cpu, first.cpu);
    assert_ne!(later.gpus, first.gpus);
    let (was, is) = (claims(&first), claims(&later));
    assert!(is.epoch_began >= was.epoch_began);
    assert_ne!(is.hpke_key, was.hpke_key, "keys for relays last an epoch");
    let same = Claims {
        hpke_key: was.hpke_key,
        epoch: was.epoch,
        epoch_began: was.epoch_began,
        ..is
    };
    assert_eq!(same, was);

    // The connection of the first epoch is answered, in the current epoch's name.
    let whole = ask_on(&mut open, "GET /v1/attestation/epoch").await;
    assert_eq!(whole.status, 200);
    let whole = Evidence::decode(&whole.body).unwrap();
    assert!(claims(&whole).epoch > 0);
    assert!(!whole.endorsements.rims.is_empty(), "it has room for these");
    let nonce = format!("GET /v1/attestation?nonce={}", "5a".repeat(32));
    let asked = ask(&mut stream, &nonce, b"").await;
    assert!(claims(&Evidence::decode(&asked.body).unwrap()).epoch > 0);
}

/// Each API's way to stream an answer that never ends.
fn endless() -> [(&'static str, Value); 4] {
    let said = json!([{"role": "user", "content": "one forever"}]);
    [
        (
            "/v1/chat/completions",
            json!({"model": "tiny", "stream": true, "messages": said}),
        ),
        (
            "/v1/completions",
            json!({"model": "tiny", "stream": true, "prompt": "one forever"}),
        ),
        (
            "/v1/responses",
            json!({"model": "tiny", "stream": true, "input": "one forever"}),
        ),
        (
            "/v1/messages",
            json!({"model": "tiny", "stream": true, "max_tokens": 9, "messages": said}),
        ),
    ]
}

/// Sends a request and reads until the engine has said something.
async fn begin(host: &FakeHost, path: &str, body: &Value) -> (TlsStream<UnixStream>, String) {
    let mut stream = connect(host.folder.path()).await;
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: enclave\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut text = String::new();
    let mut piece = [0; 4096];
    while !text.contains("one ") {
        let length = stream.read(&mut piece).await.unwrap();
        assert_ne!(length, 0, "{text}");
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    (stream, text)
}

/// What an enclave ends with, within one epoch, after `happens`: every stream by name, no listener, no key.
async fn ends_with(play: Play, happens: impl FnOnce(&FakeHost), reason: &str) {
    let (host, keys, story) = enclave(play, EPOCH).await;
    let mut streams = Vec::new();
    for (path, body) in endless() {
        streams.push((path, begin(&host, path, &body).await));
    }
    let mut waits = connect(host.folder.path()).await;
    let whole = json!({"model": "tiny", "messages": [{"role": "user", "content": "forever"}]});
    let whole = tokio::spawn(async move {
        ask(
            &mut waits,
            "POST /v1/chat/completions",
            whole.to_string().as_bytes(),
        )
        .await
    });
    keys.sign_receipt(b"before").unwrap();
    happens(&host);
    let ended = timeout(EPOCH + PATIENCE, story).await.unwrap().unwrap();
    let failure = ended.unwrap_err();
    assert_eq!(failure.code(), "trust_ended");
    assert!(failure.to_string().contains(reason), "{failure}");
    for (path, (mut stream, mut text)) in streams {
        let mut rest = Vec::new();
        // A connection that the end cut off has no goodbye.
        let _ = stream.read_to_end(&mut rest).await;
        text.push_str(&String::from_utf8(rest).unwrap());
        let last = text.rsplit("data: ").next().unwrap();
        assert!(
            last.contains("\"trust_ended\"") && last.contains(reason),
            "{path}: {text}"
        );
        assert!(
            !text.contains("[DONE]") && !text.contains("message_stop"),
            "{path}: {text}"
        );
    }
    let whole = whole.await.unwrap();
    assert_eq!(whole.status, 503);
    assert_eq!(whole.json()["error"]["code"], "trust_ended");
    let place = host.folder.path().join("tls.sock");
    UnixStream::connect(place).await.unwrap_err();
    keys.sign_receipt(b"after").unwrap_err();
}

/// The same, for a GPU that answers like this from then on.
async fn gpu_ends_with(answers: GpuAnswers, reason: &str) {
    let turn = |host: &FakeHost| *host.gpu.lock().unwrap() = answers;
    ends_with(fake::echo, turn, reason).await;
}

#[tokio::test]
async fn a_gpu_that_turns_to_dev_tools_mode_ends_it() {
    let developed: GpuAnswers = |vendor, nonce| {
        let mut gpu = vendor.gpu(0);
        gpu.measurements.insert(3, [0; 48]);
        answer(&gpu, nonce)
    };
    gpu_ends_with(developed, "measurement_mismatch").await;
}

#[tokio::test]
async fn a_gpu_that_vanishes_ends_it() {
    gpu_ends_with(|_, _| Vec::new(), "gpu_evidence_missing").await;
}

#[tokio::test]
async fn another_gpu_in_its_place_ends_it() {
    gpu_ends_with(|vendor, nonce| answer(&vendor.gpu(1), nonce), "gpu_changed").await;
}

#[tokio::test]
async fn another_driver_ends_it() {
    let other: GpuAnswers = |vendor, nonce| {
        let mut gpu = vendor.gpu(0);
        let version = b"551.00.00\0".to_vec();
        gpu.opaque.insert(opaque::DRIVER_VERSION, version);
        answer(&gpu, nonce)
    };
    gpu_ends_with(other, "gpu_refused").await;
}

#[tokio::test]
async fn an_engine_that_answers_wrongly_ends_it() {
    static WRONG: AtomicBool = AtomicBool::new(false);
    let play: Play = |path, mut body: Value| -> Vec<Said> {
        if WRONG.load(Ordering::Relaxed) && body["prompt"] == "well known" {
            body["prompt"] = json!("ill known");
        }
        fake::echo(path, body)
    };
    let turn = |_: &FakeHost| WRONG.store(true, Ordering::Relaxed);
    ends_with(play, turn, "known_answer_wrong").await;
}

#[tokio::test]
async fn a_client_that_gets_no_evidence_of_the_gpus_brings_it_out_at_once() {
    let (host, _keys, story) = enclave(fake::echo, Duration::from_hours(1)).await;
    let mut stream = connect(host.folder.path()).await;
    *host.gpu.lock().unwrap() = |_, _| Vec::new();
    let nonce = format!("GET /v1/attestation?nonce={}", "5a".repeat(32));
    ask(&mut stream, &nonce, b"").await;
    let ended = timeout(PATIENCE, story).await.unwrap().unwrap();
    assert_eq!(ended.unwrap_err().code(), "trust_ended");
}
