//! The whole story in one process: a host that answers as it should, an engine that echoes, and a client that speaks TLS.
//!
//! What a relying party makes of the evidence is tested with the real simulated processor, end to end.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrysalis_attestation::{
    binding::{Anchor, Session, TLS_EXPORTER_LABEL, host_data},
    bundle::{CpuReport, Evidence, NO_GPUS},
    claims::Claims,
    snp::report::REPORT_SIZE,
};
use chrysalis_wire::{
    frame,
    host::{FromHost, Status, ToHost},
};
use ring::digest;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{ring::default_provider, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{boot::Booted, engine::fake, failure::Failure};

const WEIGHTS: &[u8] = b"weights";

/// A host on a Unix socket, and what it was told.
struct FakeHost {
    folder: tempfile::TempDir,
    told: Arc<Mutex<Vec<Status>>>,
    stop: Arc<Notify>,
    configuration: Vec<u8>,
}

impl FakeHost {
    /// Serves `configuration`; the processor signs `launched_with` as its digest.
    fn start(configuration: Vec<u8>, launched_with: [u8; 32]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("weights"), WEIGHTS).unwrap();
        let listener = UnixListener::bind(folder.path().join("host.sock")).unwrap();
        let host = Self {
            folder,
            told: Arc::default(),
            stop: Arc::default(),
            configuration: configuration.clone(),
        };
        let (told, stop) = (host.told.clone(), host.stop.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (told, stop, configuration) =
                    (told.clone(), stop.clone(), configuration.clone());
                tokio::spawn(async move {
                    let answer = match frame::read_async(&mut stream).await.unwrap() {
                        ToHost::Configuration => FromHost::Configuration(configuration),
                        ToHost::Endorsements => FromHost::Endorsements {
                            certificates: vec![vec![0x30]],
                            crls: Vec::new(),
                        },
                        ToHost::SimulatedReport { report_data } => {
                            FromHost::SimulatedReport(report(report_data, launched_with))
                        }
                        ToHost::Status(status) => {
                            told.lock().unwrap().push(status);
                            FromHost::Noted
                        }
                        _ => {
                            stop.notified().await;
                            FromHost::Shutdown
                        }
                    };
                    // An enclave that has ended no longer listens.
                    let _ = frame::write_async(&mut stream, &answer).await;
                });
            }
        });
        host
    }

    fn words(&self) -> Vec<String> {
        let folder = self.folder.path().display();
        vec![
            "platform=simulated".to_owned(),
            format!("host=unix:{folder}"),
            format!("weights={folder}/weights"),
        ]
    }

    fn stages(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter()
            .map(|status| match status {
                Status::Passed { stage, .. } => stage.clone(),
                Status::Serving { .. } => "serving".to_owned(),
                other => format!("{other:?}"),
            })
            .collect()
    }
}

fn configuration() -> Vec<u8> {
    let text = fake::configuration();
    let sha256 = hex::encode(digest::digest(&digest::SHA256, WEIGHTS));
    text.replace("size = 1", &format!("size = {}", WEIGHTS.len()))
        .replace(
            &format!("sha256 = \"{}\"", "ab".repeat(32)),
            &format!("sha256 = \"{sha256}\""),
        )
        .into_bytes()
}

/// A report of the real layout (version 3, Genoa, VCEK), unsigned.
pub(crate) fn report(report_data: [u8; 64], host_data: [u8; 32]) -> Vec<u8> {
    let mut report = vec![0; REPORT_SIZE];
    report[0x000] = 3;
    report[0x00A] = 3; // policy: bits 16 and 17
    report[0x034] = 1;
    report[0x050..0x090].copy_from_slice(&report_data);
    report[0x0C0..0x0E0].copy_from_slice(&host_data);
    report[0x188..0x18A].copy_from_slice(&[0x19, 0x11]);
    report[0x2A0] = 1;
    report[0x2E8] = 1;
    report
}

async fn tell(words: Vec<String>) -> Result<(), Failure> {
    Booted::from_measured_words(words)?
        .accept_configuration()
        .await?
        .open_weights()
        .await?
        .start_fake_engine(fake::echo)
        .await?
        .make_keys()?
        .attest()
        .await?
        .serve()
        .await
}

/// An enclave that serves.
async fn enclave() -> (FakeHost, JoinHandle<Result<(), Failure>>) {
    let configuration = configuration();
    let digest = host_data(&configuration);
    let host = FakeHost::start(configuration, digest);
    let story = tokio::spawn(tell(host.words()));
    while host.stages().last().map(String::as_str) != Some("serving") {
        assert!(!story.is_finished(), "{:?}", story.await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (host, story)
}

/// Accepts any certificate: here nobody decides about trust.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

async fn connect(folder: &Path) -> TlsStream<UnixStream> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    let stream = UnixStream::connect(folder.join("tls.sock")).await.unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("enclave.invalid").unwrap(), stream)
        .await
        .unwrap()
}

/// An answer: status, headers, body.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// One request on a connection that the server then closes. A chunked body stays chunked.
async fn ask(stream: &mut TlsStream<UnixStream>, start: &str, body: &[u8]) -> Answer {
    let head = format!(
        "{start} HTTP/1.1\r\nhost: enclave\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.flush().await.unwrap();
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).await.unwrap();
    let split = whole
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(whole[..split].to_vec()).unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head,
        body: whole[split + 4..].to_vec(),
    }
}

async fn request(host: &FakeHost, start: &str, body: &Value) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    ask(
        &mut connect(host.folder.path()).await,
        start,
        body.as_bytes(),
    )
    .await
}

fn chat(text: &str) -> Value {
    json!({"model": "tiny", "messages": [{"role": "user", "content": text}]})
}

const CHAT: &str = "POST /v1/chat/completions";

#[tokio::test]
async fn the_story_is_told_in_order_and_ends_when_the_provider_wants() {
    let (host, story) = enclave().await;
    assert_eq!(
        host.stages(),
        [
            "configuration accepted",
            "weights verified",
            "known answer given",
            "attested",
            "serving"
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
    assert_eq!(host.stages(), Vec::<String>::new());
}

#[tokio::test]
async fn one_other_byte_of_the_weights_stops_the_boot() {
    let configuration = configuration();
    let digest = host_data(&configuration);
    let host = FakeHost::start(configuration, digest);
    std::fs::write(host.folder.path().join("weights"), b"Weights").unwrap();
    assert_eq!(
        tell(host.words()).await.unwrap_err().code(),
        "weights_corrupt"
    );
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
        let CpuReport::Snp(report) = evidence.cpu else {
            panic!("not SNP");
        };
        let anchor = Anchor::new(&session, &public_key, &evidence.claims);
        assert_eq!(report[0x50..0x90], anchor.report_data(&NO_GPUS));
        let claims = Claims::decode(&evidence.claims).unwrap();
        assert_eq!(claims.configuration, host_data(&host.configuration));
        assert_eq!(
            (claims.model.as_str(), claims.engine.as_str()),
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
        answer.head.contains("content-type: text/event-stream"),
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
        (CHAT, chat("crash"), 500, "incomplete_answer"),
        (CHAT, chat(&"x".repeat(1 << 20)), 413, "body_too_large"),
        (
            "GET /v1/chat/completions",
            Value::Null,
            405,
            "method_not_allowed",
        ),
        ("POST /v1/embeddings", Value::Null, 404, "unknown_url"),
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
    // Answered only once the engine that crashed above was started again.
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
    tokio::time::sleep(Duration::from_millis(50)).await;
    let answer = request(&host, CHAT, &chat("me too")).await;
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after: 5"), "{}", answer.head);

    // Clients that go make room: their generations end.
    drop(held);
    tokio::time::sleep(Duration::from_millis(100)).await;
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

#[tokio::test]
async fn no_more_connections_than_the_limit() {
    let (host, _story) = enclave().await;
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(
            UnixStream::connect(host.folder.path().join("tls.sock"))
                .await
                .unwrap(),
        );
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut over = UnixStream::connect(host.folder.path().join("tls.sock"))
        .await
        .unwrap();
    assert_eq!(over.read(&mut [0; 1]).await.unwrap(), 0);
    drop(held);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        request(&host, "GET /health", &Value::Null).await.status,
        200
    );
}

async fn send(stream: &mut TlsStream<UnixStream>, body: &Value) {
    let body = body.to_string();
    let head = format!(
        "{CHAT} HTTP/1.1\r\nhost: enclave\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}
