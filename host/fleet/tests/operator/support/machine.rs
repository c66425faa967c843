//! A machine that is none: a stand-in that answers `/ready`, `/healthz`, `/metrics` and `/drain` as `chrysalis-host` does (host/src/metrics), and
//! starts no guest. Its jobs are a number that a test sets with `POST /jobs/N`; it ends once it drains and has none. What it did is in a journal.

use std::{
    convert::Infallible,
    env, fs,
    io::Write,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chrysalis_attestation::encoding::digest::sha256;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, body::Incoming, header::AUTHORIZATION, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::sleep,
};

#[derive(Default)]
struct Machine {
    serves: AtomicBool,
    drains: AtomicBool,
    jobs: AtomicU64,
}

/// Runs one, as its environment says, and ends the process's work when it has drained.
pub(crate) async fn run() {
    if env::var_os("STAND_IN_BROKEN").is_some() {
        std::process::exit(1);
    }
    let machine = Arc::new(Machine::default());
    let address: SocketAddr = format!("{}:9443", env::var("POD_IP").unwrap())
        .parse()
        .unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let serving = Arc::clone(&machine);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let machine = Arc::clone(&serving);
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let (code, text) = machine.answer(&request);
                    let answer = Response::builder()
                        .status(code)
                        .body(Full::<Bytes>::from(text))
                        .unwrap();
                    async { Ok::<_, Infallible>(answer) }
                });
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .ok();
            });
        }
    });
    let mut terminated = signal(SignalKind::terminate()).unwrap();
    let stopping = Arc::clone(&machine);
    tokio::spawn(async move {
        terminated.recv().await;
        stopping.drain("SIGTERM");
    });
    let boots = env::var("STAND_IN_BOOT_MS").map_or(100, |it| it.parse().unwrap());
    sleep(Duration::from_millis(boots)).await;
    machine.serves.store(true, Ordering::SeqCst);
    journal("serves");
    while !machine.drains.load(Ordering::SeqCst) || machine.jobs.load(Ordering::SeqCst) > 0 {
        sleep(Duration::from_millis(20)).await;
    }
    journal("finished");
}

impl Machine {
    fn answer(&self, request: &Request<Incoming>) -> (u16, String) {
        let (serves, drains) = (
            self.serves.load(Ordering::SeqCst),
            self.drains.load(Ordering::SeqCst),
        );
        let jobs = self.jobs.load(Ordering::SeqCst);
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/healthz") => (200, "ok\n".to_owned()),
            (&Method::GET, "/ready") if !serves => {
                (503, "booting: the guest does not serve yet\n".to_owned())
            }
            (&Method::GET, "/ready") if drains => {
                (503, "draining: no new work is taken\n".to_owned())
            }
            (&Method::GET, "/ready") => (200, "ready\n".to_owned()),
            (&Method::GET, "/metrics") => {
                let listing = u8::from(serves && !drains);
                #[allow(clippy::cast_precision_loss, reason = "a few jobs")]
                let load = jobs as f64 / 4.0;
                (
                    200,
                    format!(
                        "chrysalis_utilisation {load}\nchrysalis_network_directories_listing {listing}\nchrysalis_payment_due_nano 5\n"
                    ),
                )
            }
            (&Method::POST, "/drain") if !has_token(request) => {
                (403, "only this machine may ask for that\n".to_owned())
            }
            (&Method::POST, "/drain") => {
                self.drain("/drain");
                (202, "draining\n".to_owned())
            }
            (&Method::POST, path) => {
                match path.strip_prefix("/jobs/").and_then(|it| it.parse().ok()) {
                    Some(jobs) => {
                        self.jobs.store(jobs, Ordering::SeqCst);
                        (200, String::new())
                    }
                    None => (404, String::new()),
                }
            }
            _ => (404, String::new()),
        }
    }

    fn drain(&self, by: &str) {
        if !self.drains.swap(true, Ordering::SeqCst) {
            journal(&format!(
                "drains by {by} with {} jobs",
                self.jobs.load(Ordering::SeqCst)
            ));
        }
    }
}

/// Stricter than a host, which also hears its own machine: here, everyone is on it.
fn has_token(request: &Request<Incoming>) -> bool {
    let shown = request.headers().get(AUTHORIZATION);
    let token = shown
        .and_then(|it| it.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    env::var("CHRYSALIS_RUN_DRAIN_TOKEN_SHA256").is_ok_and(|it| it == hex::encode(sha256(&[token])))
}

fn journal(what: &str) {
    let Some(path) = env::var_os("STAND_IN_JOURNAL") else {
        return;
    };
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    let name = env::var("POD_NAME").unwrap();
    file.write_all(format!("{name} {what}\n").as_bytes())
        .unwrap();
}
