//! Requests through a relay: it sees nothing of them, the host sees nothing of who asks, and each lie about an answer has a name.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use chrysalis_client::{AttestedConnection, Error, Relay, proxy::Direct};
use chrysalis_ohttp::{END, Form, GatewayKeys, NONCE, Request as Inside, SEED, content, head};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::stage::{Enclave, Host, gateway, gateway_of, relying_party};

/// What neither relay nor host must see.
const PROMPT: &str = "the prompt that must not show";
/// The seed of an enclave that was started again.
const RESTARTED: u8 = 9;
/// Bytes of an encapsulated request with 4096 bytes inside: header, key, a chunk, and the last one.
const SHORTEST: usize = 7 + 1120 + 2 + 4096 + 16 + 1 + 16;

/// What a relay does to an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    Cut,
    Reordered,
    Altered,
    /// It answers itself.
    Other,
    /// It says that the key is not in use.
    Stale,
    /// None. The enclave was started again, with the keys of another seed under the same identifiers.
    Restarted,
}

/// A relay, with the enclave's gateway behind it, and what it saw.
struct Scene {
    url: String,
    seen: Arc<Mutex<Vec<Bytes>>>,
}

impl Scene {
    async fn with(lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/llm", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Bytes>>>::default();
        let relays = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let seen = Arc::clone(&relays);
                let answer = service_fn(move |request| relay(lie, Arc::clone(&seen), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), answer));
            }
        });
        Self { url, seen }
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn relay(
    lie: Lie,
    seen: Arc<Mutex<Vec<Bytes>>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, hyper::Error> {
    assert_eq!(request.uri().path(), "/llm");
    let kind = request.headers()["content-type"].clone();
    assert_eq!(kind, Form::Chunked.request_type());
    let sealed = request.into_body().collect().await?.to_bytes();
    seen.lock().unwrap().push(sealed.clone());
    let answer = |status: u16, kind: &str, pieces: Vec<Vec<u8>>| {
        let pieces = pieces.into_iter().map(|it| Ok(Frame::data(it.into())));
        let body = StreamBody::new(stream::iter(pieces)).boxed_unsync();
        let answer = Response::builder().status(status);
        answer.header("content-type", kind).body(body).unwrap()
    };
    Ok(match lie {
        Lie::Other => answer(200, "text/html", vec![b"<p>Hello".to_vec()]),
        Lie::Stale => {
            let said = br#"{"type": "https://iana.org/assignments/http-problem-types#ohttp-key"}"#;
            answer(400, "application/problem+json", vec![said.to_vec()])
        }
        Lie::Restarted if gateway_of(RESTARTED).open(Form::Chunked, &sealed).is_err() => {
            let said = br#"{"error": {"code": "encapsulation_altered"}}"#;
            answer(400, "application/json", vec![said.to_vec()])
        }
        _ => answer(
            200,
            Form::Chunked.answer_type(),
            sealed_answer(&sealed, lie),
        ),
    })
}

/// The enclave's answer in pieces: the prompt that was in the request, twice.
fn sealed_answer(request: &[u8], lie: Lie) -> Vec<Vec<u8>> {
    let keys = match lie {
        Lie::Restarted => gateway_of(RESTARTED),
        _ => gateway(),
    };
    let opened = keys.open(Form::Chunked, request).unwrap();
    let inside = Inside::decode(&opened.message).unwrap();
    assert_eq!(inside.path, b"/v1/chat/completions");
    assert!(inside.headers.iter().all(|(name, _)| name != b"host"));
    let nonce = [5; NONCE];
    let mut writer = opened.answering.begin(&nonce).unwrap();
    let head = head(200, [(&b"content-type"[..], &b"text/plain"[..])]);
    let mut pieces = vec![nonce.to_vec(), writer.piece(&head).unwrap()];
    for _ in 0..2 {
        pieces.push(writer.piece(&content(&inside.body)).unwrap());
    }
    pieces.push(writer.last(&END).unwrap());
    match lie {
        Lie::Cut => drop(pieces.pop()),
        Lie::Reordered => pieces.swap(2, 3),
        Lie::Altered => *pieces[3].last_mut().unwrap() ^= 1,
        Lie::None | Lie::Other | Lie::Stale | Lie::Restarted => {}
    }
    pieces
}

/// Asks through the relay, and reads the answer to its end.
async fn ask(host: &Host, scene: &Scene) -> Result<Bytes, Error> {
    let party = relying_party().through(scene.url.parse::<Relay>().unwrap());
    let mut enclave = AttestedConnection::connect(&host.target(), &party).await?;
    let request = Request::post("/v1/chat/completions")
        .header("host", "somewhere")
        .body(PROMPT.into())
        .unwrap();
    let answer = enclave.send(request).await?;
    assert_eq!(answer.headers()["content-type"], "text/plain");
    Ok(answer.into_body().collect().await?.to_bytes())
}

#[tokio::test]
async fn the_relay_sees_nothing_of_a_request_and_the_host_nothing_of_who_asks() {
    let host = Host::serving(Enclave::honest()).await;
    let scene = Scene::with(Lie::None).await;
    let answer = ask(&host, &scene).await.unwrap();
    assert_eq!(answer, PROMPT.repeat(2));
    let seen = host.seen();
    assert_eq!(seen.matches("\r\n\r\n").count(), 2, "{seen}");
    assert!(seen.contains("GET /v1/ohttp-keys HTTP/1.1\r\n"), "{seen}");
    assert!(!seen.contains(PROMPT) && !seen.contains("POST"), "{seen}");
    let relayed = scene.seen.lock().unwrap().clone();
    assert_eq!(relayed.len(), 1);
    assert_eq!(relayed[0].len(), SHORTEST);
    let shows = |it: &Bytes| it.windows(6).any(|part| part == b"prompt");
    assert!(!shows(&relayed[0]));
}

#[tokio::test]
async fn each_lie_about_an_answer_has_a_name() {
    let host = Host::serving(Enclave::honest()).await;
    for (lie, code) in [
        (Lie::Cut, "incomplete_answer"),
        (Lie::Reordered, "answer_altered"),
        (Lie::Altered, "answer_altered"),
        (Lie::Other, "relay_failed"),
        // Another connection gets the keys that are in use now.
        (Lie::Stale, "relay_key_gone"),
        (Lie::Restarted, "relay_key_gone"),
    ] {
        let error = ask(&host, &Scene::with(lie).await).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn what_a_relay_says_of_a_key_counts_only_if_fresh_evidence_proves_another() {
    let host = Host::serving(Enclave::honest()).await;
    let chat = || {
        Request::post("/v1/chat/completions")
            .body(Bytes::from(PROMPT))
            .unwrap()
    };
    let through = |scene: &Scene| {
        let party = relying_party().through(scene.url.parse::<Relay>().unwrap());
        Direct::new(host.target(), party)
    };

    let scene = Scene::with(Lie::Stale).await;
    let error = through(&scene).send(chat()).await.unwrap_err();
    assert_eq!(error.code(), "relay_failed", "{error}");
    assert_eq!(scene.seen.lock().unwrap().len(), 1);

    let scene = Scene::with(Lie::Restarted).await;
    let enclave = through(&scene);
    enclave.ready(|_| ()).await.unwrap();
    host.restart_with(RESTARTED);
    let answer = enclave.send(chat()).await.unwrap();
    let answer = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, PROMPT.repeat(2));
    assert_eq!(scene.seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn no_key_is_used_that_the_evidence_does_not_cover() {
    let host = Host::serving(Enclave::honest()).await;
    let scene = Scene::with(Lie::None).await;
    let another = GatewayKeys::new(0, &Zeroizing::new([8; SEED]));
    host.give_keys(another.configurations().to_vec());
    let error = ask(&host, &scene).await.unwrap_err();
    assert_eq!(error.code(), "relay_keys_unproved");
    assert!(scene.seen.lock().unwrap().is_empty());
}
