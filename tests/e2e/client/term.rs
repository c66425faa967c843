//! The end of trust: at the verdict's `until`, by a wall clock or by a stopwatch, whichever is first, and not when somebody
//! fails to renew it. Both clocks are moved by hand; nothing here waits for the right moment.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use chrysalis_attestation::Time;
use chrysalis_client::{
    AttestedConnection, Deadlines, Error, RelyingParty, Target,
    proxy::{Access, Door, Proxy},
    system_time,
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::stage::{Enclave, Host, Proof, Reply, relying_party};

const PROMPT: &str = "the prompt that must not leave";
const STREAM: &str = "{\"stream\":true}";
/// Seconds; longer than any certificate here is valid.
const CENTURY: i64 = 100 * 366 * 86_400;
/// More than any test takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// A relying party's clocks.
#[derive(Default)]
struct Clocks {
    /// How far the wall clock is off.
    ahead: AtomicI64,
    stopwatch: AtomicU64,
}

impl Clocks {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    /// As a machine has it whose night passed in sleep: the stopwatch stands.
    fn sleep_a_century(&self) {
        self.ahead.store(CENTURY, SeqCst);
    }

    /// As a machine has it whose clock is held back, by a person or a server: the wall clock goes backwards.
    fn pass_a_century_with_the_clock_set_back(&self) {
        self.ahead.store(-86_400, SeqCst);
        self.stopwatch.store(CENTURY.unsigned_abs(), SeqCst);
    }

    /// Patient as few are, so that nothing but the clocks ends anything.
    fn relying_party(self: &Arc<Self>) -> RelyingParty {
        let (wall, watch) = (Arc::clone(self), Arc::clone(self));
        let deadlines = Deadlines {
            first_byte: PATIENCE * 2,
            idle: PATIENCE * 2,
            ..Deadlines::default()
        };
        relying_party()
            .with_clock(Arc::new(move || {
                Time(system_time().0 + wall.ahead.load(SeqCst))
            }))
            .with_stopwatch(Arc::new(move || {
                Duration::from_secs(watch.stopwatch.load(SeqCst))
            }))
            .with_deadlines(deadlines)
    }
}

/// Every way in which time passes.
const PASSING: [fn(&Clocks); 2] = [
    Clocks::sleep_a_century,
    Clocks::pass_a_century_with_the_clock_set_back,
];

async fn connect(target: &Target, clocks: &Arc<Clocks>) -> AttestedConnection {
    AttestedConnection::connect(target, &clocks.relying_party())
        .await
        .unwrap()
}

fn chat(body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post("/v1/chat/completions")
        .body(body.into())
        .unwrap()
}

#[track_caller]
fn expired(error: &Error) {
    assert!(matches!(error, Error::Expired { .. }), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_after_the_end_by_whichever_clock() {
    for pass in PASSING {
        let host = Host::serving(Enclave::honest()).await;
        let clocks = Clocks::new();
        let mut enclave = connect(&host.target(), &clocks).await;
        assert!(enclave.is_ready());
        pass(&clocks);
        assert!(!enclave.is_ready());
        expired(&enclave.send(chat(PROMPT)).await.map(drop).unwrap_err());
        assert!(!host.seen().contains(PROMPT));
    }
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_at_its_end() {
    let host = Host::serving(Enclave::honest()).await;
    let clocks = Clocks::new();
    let enclave = connect(&host.target(), &clocks).await;
    assert_eq!(host.ended(), 0);
    clocks.pass_a_century_with_the_clock_set_back();
    timeout(PATIENCE, until(|| host.ended() == 1))
        .await
        .unwrap();
    drop(enclave);
}

#[tokio::test]
async fn a_stream_ends_by_name_whether_it_flows_or_stalls() {
    for pass in PASSING {
        for reply in [Reply::Endless, Reply::SilenceInside] {
            let host = Host::serving(Enclave::honest()).await;
            host.reply(reply);
            let clocks = Clocks::new();
            let mut enclave = connect(&host.target(), &clocks).await;
            let mut answer = enclave.send(chat(STREAM)).await.unwrap().into_body();
            assert!(answer.frame().await.unwrap().is_ok());
            pass(&clocks);
            let end = timeout(PATIENCE, answer.frame()).await.unwrap();
            expired(&end.unwrap().unwrap_err());
            assert!(answer.frame().await.is_none());
            // The enclave stops computing for it, though nobody dropped the connection.
            until(|| host.generations() == 0).await;
        }
    }
}

#[tokio::test]
async fn who_waits_for_an_answer_hears_of_the_end() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Silence);
    let clocks = Clocks::new();
    let mut enclave = connect(&host.target(), &clocks).await;
    let waiting = tokio::spawn(async move { enclave.send(chat(STREAM)).await.map(drop) });
    until(|| host.seen().contains(STREAM)).await;
    clocks.pass_a_century_with_the_clock_set_back();
    let end = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    expired(&end.unwrap_err());
}

/// More than what the sockets of one machine hold between them, so that most of it is still here when trust ends.
const LONG: usize = 64 << 20;

#[tokio::test]
async fn of_a_prompt_under_way_not_a_byte_more_leaves() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Deaf);
    let clocks = Clocks::new();
    let mut enclave = connect(&host.target(), &clocks).await;
    let sending = tokio::spawn(async move {
        let prompt = [vec![b'x'; LONG], PROMPT.into()].concat();
        let outcome = enclave.send(chat(prompt)).await.map(drop);
        // The connection is kept: it is not its drop that ends anything.
        (outcome, enclave)
    });
    until(|| host.seen().contains("POST /v1/chat")).await;
    clocks.pass_a_century_with_the_clock_set_back();
    let (outcome, _enclave) = timeout(PATIENCE, sending).await.unwrap().unwrap();
    expired(&outcome.unwrap_err());
    // Whatever the host reads from now on left before.
    host.hear();
    timeout(PATIENCE, until(|| host.ended() == 1))
        .await
        .unwrap();
    assert!(host.heard() < LONG, "{}", host.heard());
    assert!(!host.seen().contains(PROMPT));
}

// The proxy.

async fn proxy(host: &Host, clocks: &Arc<Clocks>) -> SocketAddr {
    let proxy = Proxy::start(host.target(), clocks.relying_party())
        .await
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let door = Door::open(listener, Access::default()).unwrap();
    // No renewal comes in between.
    tokio::spawn(async move { proxy.serve(door, Duration::from_hours(1)).await });
    address
}

async fn send(proxy: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let tcp = TcpStream::connect(proxy).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let answer = timeout(PATIENCE, sender.send_request(request));
    answer.await.expect("an answer").unwrap()
}

async fn post(proxy: SocketAddr, body: &'static str) -> Response<Incoming> {
    let request = Request::post("/v1/chat/completions").header("host", proxy.to_string());
    send(proxy, request.body(Full::from(body)).unwrap()).await
}

async fn health(proxy: SocketAddr) -> Response<Incoming> {
    let request = Request::get("/health").header("host", proxy.to_string());
    send(proxy, request.body(Full::default()).unwrap()).await
}

async fn json(answer: Response<Incoming>) -> Value {
    let body = answer.into_body().collect().await.unwrap();
    serde_json::from_slice(&body.to_bytes()).unwrap()
}

#[tokio::test]
async fn behind_the_proxy_trust_ends_without_a_renewal_that_fails() {
    for pass in PASSING {
        let host = Host::serving(Enclave::honest()).await;
        host.reply(Reply::Endless);
        let clocks = Clocks::new();
        let proxy = proxy(&host, &clocks).await;
        let mut answer = post(proxy, STREAM).await.into_body();
        assert!(answer.frame().await.unwrap().is_ok());
        // From here on nobody could verify anything, and nobody is asked to.
        host.prove(Proof::Silence);
        pass(&clocks);
        let last = timeout(PATIENCE, async {
            let mut text = String::new();
            while let Some(Ok(frame)) = answer.frame().await {
                text += &String::from_utf8_lossy(&frame.into_data().unwrap());
            }
            text
        });
        let text = last.await.unwrap();
        assert!(text.contains("\"code\":\"evidence_expired\""), "{text}");
        assert!(!text.contains("[DONE]"), "{text}");
        let health = health(proxy).await;
        assert_eq!(health.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(json(health).await["code"], "evidence_expired");
    }
}

#[tokio::test]
async fn behind_the_proxy_an_idle_connection_carries_nothing_after_its_end() {
    let host = Host::serving(Enclave::honest()).await;
    let clocks = Clocks::new();
    let proxy = proxy(&host, &clocks).await;
    assert_eq!(post(proxy, "{}").await.status(), StatusCode::OK);
    assert_eq!(host.connections(), 1);
    clocks.sleep_a_century();
    let answer = post(proxy, PROMPT).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(host.connections(), 2, "it asked anew, and was refused");
    assert!(!host.seen().contains(PROMPT));
}

#[tokio::test]
async fn a_host_that_cuts_each_fresh_connection_is_an_error_after_three() {
    let host = Host::serving(Enclave::honest()).await;
    host.prove(Proof::Closing);
    let proxy = proxy(&host, &Clocks::new()).await;
    let answer = post(proxy, PROMPT).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let error = &json(answer).await["error"];
    assert_eq!(error["code"], "connections_cut");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("the host closed 3 verified connections in a row"),
        "{message}"
    );
    assert!(message.contains("hint: "), "{message}");
    assert_eq!(host.connections(), 1 + 3);
    assert!(!host.seen().contains(PROMPT));
    // It is no verdict: once the host lets connections live, all is well.
    host.prove(Proof::Honest);
    assert_eq!(post(proxy, "{}").await.status(), StatusCode::OK);
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
