//! Connections: trusted ones answer, all others are named and never sent a thing.

use std::time::Duration;

use bytes::Bytes;
use chrysalis_attestation::{Time, Verdict, evidence::MAX_BUNDLE, policy::Policy};
use chrysalis_client::{
    Answer, AttestedConnection, Error, RelyingParty, SavedSession, Target, fetch_evidence,
    system_time,
};
use http_body_util::BodyExt;
use hyper::{Request, Response};
use tokio::net::TcpListener;

use crate::stage::{
    Enclave, Host, Proof, Reply, policy, policy_text, relying_party, short_deadlines,
};

/// What must never reach a peer that is not trusted.
const PROMPT: &str = "the prompt that must not leave";

/// Connects and, if that succeeds, chats: as any program would.
async fn chat(target: &Target, relying_party: &RelyingParty) -> Result<Response<Answer>, Error> {
    let mut enclave = AttestedConnection::connect(target, relying_party).await?;
    let body = format!("{{\"stream\":true,\"prompt\":\"{PROMPT}\"}}");
    enclave
        .send(
            Request::post("/v1/chat/completions")
                .body(body.into())
                .unwrap(),
        )
        .await
}

/// The code with which `host` is refused, and that all it ever saw is a question for evidence.
async fn refused(host: &Host, relying_party: &RelyingParty) -> &'static str {
    let error = chat(&host.target(), relying_party)
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(!error.hint().is_empty());
    let seen = host.seen();
    assert!(seen.starts_with("GET /v1/attestation?nonce="), "{seen}");
    assert_eq!(
        seen.matches("\r\n\r\n").count(),
        1,
        "more than one request: {seen}"
    );
    assert!(
        seen.ends_with("\r\n\r\n") && !seen.contains(PROMPT),
        "{seen}"
    );
    error.code()
}

async fn lying(proof: Proof) -> Host {
    let host = Host::serving(Enclave::honest()).await;
    host.prove(proof);
    host
}

#[tokio::test]
async fn an_honest_enclave_is_trusted_and_answers() {
    let host = Host::serving(Enclave::honest()).await;
    let mut enclave = AttestedConnection::connect(&host.target(), &relying_party())
        .await
        .unwrap();
    assert!(enclave.trusted().simulated());
    assert_eq!(enclave.trusted().claims().models[0].name, "smollm2");
    for _ in 0..2 {
        let request = Request::post("/v1/chat/completions")
            .body("{\"stream\":true}".into())
            .unwrap();
        let answer = enclave
            .send(request)
            .await
            .unwrap()
            .into_body()
            .collect()
            .await
            .unwrap();
        assert!(answer.to_bytes().ends_with(b"data: [DONE]\n\n"));
    }
    assert_eq!(host.connections(), 1);
}

#[tokio::test]
async fn who_remembers_gets_a_short_bundle_and_the_same_verdict() {
    let host = Host::serving(Enclave::honest()).await;
    let party = relying_party().remembering();
    let target = host.target();
    let connect = || AttestedConnection::connect(&target, &party);
    let first = connect().await.unwrap();
    assert!(!host.seen().contains("have="), "{}", host.seen());
    let second = connect().await.unwrap();
    assert!(host.seen().contains("&have="), "{}", host.seen());
    assert_eq!(host.shorts(), 1);
    let outcomes = |it: &AttestedConnection| -> Vec<_> {
        let checks = it.trusted().transcript().checks().iter();
        checks.map(|it| (it.step, it.name, it.outcome)).collect()
    };
    assert_eq!(outcomes(&first), outcomes(&second));
    // What is saved is whole: anyone can verify it, who has nothing.
    let saved = second.saved_session();
    assert!(relying_party().verify_session(saved).is_ok());
    // What came from this address is of no use to another.
    let other = Host::serving(Enclave::honest()).await;
    let third = AttestedConnection::connect(&other.target(), &party).await;
    assert!(third.is_ok() && !other.seen().contains("have="));
}

#[tokio::test]
async fn who_does_not_remember_asks_as_before() {
    let host = Host::serving(Enclave::honest()).await;
    for _ in 0..2 {
        chat(&host.target(), &relying_party()).await.unwrap();
    }
    assert!(!host.seen().contains("have="), "{}", host.seen());
}

#[tokio::test]
async fn nothing_is_kept_of_evidence_that_was_refused() {
    let host = lying(Proof::Replayed).await;
    let party = relying_party().remembering();
    assert_eq!(refused(&host, &party).await, "binding_mismatch");
    host.prove(Proof::Honest);
    chat(&host.target(), &party).await.unwrap();
    assert!(!host.seen().contains("have="), "{}", host.seen());
}

#[tokio::test]
async fn refuses_a_short_bundle_that_was_not_asked_for() {
    let host = lying(Proof::Short).await;
    let party = relying_party().remembering();
    assert_eq!(refused(&host, &party).await, "protocol_error");
    assert_eq!(
        refused(&lying(Proof::Short).await, &relying_party()).await,
        "protocol_error"
    );
}

#[tokio::test]
async fn refuses_an_image_that_the_policy_does_not_name() {
    let host = Host::serving(Enclave::running([7; 48])).await;
    assert_eq!(
        refused(&host, &relying_party()).await,
        "launch_digest_unknown"
    );
}

#[tokio::test]
async fn keys_are_agreed_as_the_policy_wants_and_the_verdict_says_how() {
    let lasting = format!(
        "{}[session]\nkey_agreement = \"post-quantum\"\n",
        policy_text(true)
    );
    let lasting = RelyingParty::new(Policy::parse(&lasting).unwrap());
    let lasting = lasting.with_deadlines(short_deadlines());
    let today = Host::serving(Enclave::honest()).await;
    let target = today.target();
    let enclave = AttestedConnection::connect(&target, &lasting);
    let enclave = enclave.await.unwrap();
    let told = Verdict::from(enclave.trusted()).to_string();
    let bound = "bound   this TLS session, your nonce, keys agreed by X25519MLKEM768\n";
    assert!(told.contains(bound), "{told}");
    let saved = SavedSession::decode(&enclave.saved_session().encode()).unwrap();
    lasting.verify_session(&saved).unwrap();
    let unknown = lasting.verify_session(&saved.agreed(None)).unwrap_err();
    assert_eq!(unknown.code(), "key_agreement_weak");

    let before = Host::serving(Enclave::classical()).await;
    assert_eq!(refused(&before, &lasting).await, "key_agreement_weak");
    let (target, anyone) = (before.target(), relying_party());
    let enclave = AttestedConnection::connect(&target, &anyone);
    let told = Verdict::from(enclave.await.unwrap().trusted()).to_string();
    assert!(told.contains("keys agreed by x25519\n"), "{told}");
}

#[tokio::test]
async fn refuses_a_simulated_root_that_the_policy_does_not_name() {
    let host = Host::serving(Enclave::honest()).await;
    let strict = RelyingParty::new(policy(false));
    assert_eq!(refused(&host, &strict).await, "simulated_root_refused");
}

#[tokio::test]
async fn refuses_evidence_for_another_nonce() {
    let host = lying(Proof::Replayed).await;
    assert_eq!(refused(&host, &relying_party()).await, "binding_mismatch");
}

#[tokio::test]
async fn refuses_a_relay_that_ends_tls_with_a_key_of_its_own() {
    let host = lying(Proof::Of(Enclave::honest())).await;
    assert_eq!(refused(&host, &relying_party()).await, "binding_mismatch");
}

#[tokio::test]
async fn refuses_bytes_that_are_no_evidence() {
    let host = lying(Proof::Bytes(b"\xa0 nonsense".to_vec())).await;
    assert_eq!(refused(&host, &relying_party()).await, "bundle_malformed");
}

#[tokio::test]
async fn refuses_evidence_over_the_limit_without_reading_it() {
    let host = lying(Proof::Bytes(vec![0; MAX_BUNDLE + 1])).await;
    let error = fetch_evidence(&host.target(), &short_deadlines())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Protocol(what) if what.contains(&format!("{MAX_BUNDLE} bytes"))),
        "{error}"
    );
    assert_eq!(
        refused(
            &lying(Proof::Bytes(vec![0; MAX_BUNDLE + 1])).await,
            &relying_party()
        )
        .await,
        "protocol_error"
    );
}

#[tokio::test]
async fn names_a_peer_that_answers_no_evidence() {
    for (said, named) in [
        ("trust_ended", "trust_ended"),
        ("attestation_busy", "attestation_busy"),
        ("snp_report_failed", "protocol_error"),
        ("", "protocol_error"),
    ] {
        let host = lying(Proof::Declined(said)).await;
        assert_eq!(refused(&host, &relying_party()).await, named);
    }
}

#[tokio::test]
async fn names_a_peer_that_does_not_speak_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("https://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut tcp, b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        tcp
    });
    let error = AttestedConnection::connect(&target, &relying_party())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.code(), "protocol_error");
}

#[tokio::test]
async fn names_an_address_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("https://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let error = AttestedConnection::connect(&target, &relying_party())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.code(), "unreachable");
}

#[tokio::test]
async fn names_a_host_that_stalls_in_the_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target: Target = format!("https://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let error = chat(&target, &relying_party())
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Stalled {
                what: "TLS handshake",
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn names_a_host_that_withholds_evidence() {
    let host = lying(Proof::Silence).await;
    assert_eq!(refused(&host, &relying_party()).await, "stalled");
}

#[tokio::test]
async fn names_a_host_that_withholds_the_answer() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Silence);
    let error = chat(&host.target(), &relying_party())
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Stalled {
                what: "first byte of the answer",
                ..
            }
        ),
        "{error}"
    );
}

/// The first piece, and what ends the stream after it.
async fn first_piece_and_end(reply: Reply) -> (Bytes, Error) {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(reply);
    let mut enclave = AttestedConnection::connect(&host.target(), &relying_party())
        .await
        .unwrap();
    let request = Request::post("/v1/chat/completions")
        .body("{\"stream\":true}".into())
        .unwrap();
    let mut answer = enclave.send(request).await.unwrap().into_body();
    let first = answer.frame().await.unwrap().unwrap().into_data().unwrap();
    let error = loop {
        match answer
            .frame()
            .await
            .expect("a cut stream does not end cleanly")
        {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(answer.frame().await.is_none());
    (first, error)
}

#[tokio::test]
async fn an_answer_cut_in_mid_stream_is_incomplete() {
    let (first, error) = first_piece_and_end(Reply::Cut).await;
    assert!(first.starts_with(b"data: "));
    assert_eq!(error.code(), "incomplete_answer");
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_stalled() {
    let (_, error) = first_piece_and_end(Reply::SilenceInside).await;
    assert_eq!(error.code(), "stalled");
}

#[tokio::test]
async fn sends_nothing_once_the_evidence_has_expired() {
    let host = Host::serving(Enclave::honest()).await;
    let began = std::time::Instant::now();
    // A clock on which a century passes in half a second.
    let clock = move || {
        let years = if began.elapsed() < Duration::from_millis(500) {
            0
        } else {
            100
        };
        Time(system_time().0 + years * 365 * 86_400)
    };
    let relying_party = relying_party().with_clock(std::sync::Arc::new(clock));
    let mut enclave = AttestedConnection::connect(&host.target(), &relying_party)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let request = Request::post("/v1/chat/completions")
        .body(PROMPT.into())
        .unwrap();
    let error = enclave.send(request).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "evidence_expired");
    assert!(!host.seen().contains(PROMPT));
}
