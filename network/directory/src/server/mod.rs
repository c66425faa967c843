//! HTTP: two ways in, and files. Plain HTTP/1.1; whoever wants TLS puts a proxy in front of it.
//!
//! Every length, every wait and every count is bounded, and what a client does touches no other.

mod files;
mod limits;

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chrysalis_network::MAX_UPLOAD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::{sleep, timeout},
};

pub use self::limits::{Limits, Rate};
use self::{files::Files, limits::Gate};
use crate::{Desk, Refused};

/// How long a head may take to arrive; a connection without a request for so long is closed.
const HEAD: Duration = Duration::from_secs(30);
/// How long a connection may last, whatever it does.
const CONNECTION: Duration = Duration::from_mins(10);
/// The most bytes of a head.
const MAX_HEAD: usize = 16 * 1024;
/// The pause when the system cannot accept, most likely because it is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Serves what is published, and takes what is sent.
pub struct Server {
    desk: Arc<Desk>,
    files: Files,
    limits: Limits,
    gate: Mutex<Gate>,
    /// Bodies that are being read or judged.
    bodies: Arc<Semaphore>,
}

impl Server {
    /// A server of this folder.
    pub fn new(desk: Arc<Desk>, public: &Path, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            bodies: Arc::new(Semaphore::new(limits.bodies)),
            gate: Mutex::new(Gate::new(&limits)),
            files: Files::of(public),
            limits,
            desk,
        })
    }

    /// Serves for as long as it is polled.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        // The semaphore is never closed, so this never ends.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    tokio::spawn(Arc::clone(&self).connection(stream, peer.ip(), place));
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        _place: OwnedSemaphorePermit,
    ) {
        let Some(_open) = limits::Open::of(&self.gate, peer, &self.limits) else {
            return;
        };
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request, peer).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        // A client that is slow or gone gets no answer.
        let _ = timeout(CONNECTION, connection).await;
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Response<Full<Bytes>> {
        let client = self.client(request.headers(), peer);
        let path = request.uri().path();
        match (request.method(), path) {
            (&Method::PUT, "/v1/listings") => {
                self.taken(request, client, Desk::listing_answer).await
            }
            (&Method::POST, "/v1/reports") => {
                self.taken(request, client, Desk::report_answer).await
            }
            (_, "/v1/listings") => method("PUT"),
            (_, "/v1/reports") => method("POST"),
            (&Method::GET | &Method::HEAD, _) => {
                match self.files.answer(path, request.headers()).await {
                    Some(answer) => answer,
                    None => refuse(&Refused::new(
                        404,
                        "not_found",
                        "there is no such file here",
                        "GET /network, /checkpoint or /now/<class>; docs/spec/network.md lists the rest",
                    )),
                }
            }
            _ => method("GET"),
        }
    }

    /// Whose request it is, as far as limits are concerned.
    fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let last = headers.get_all(FORWARDED).iter().next_back();
        let last = last.and_then(|it| it.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        last.filter(|_| self.limits.behind_proxy).unwrap_or(peer)
    }

    /// Reads a body, within its limits, and has the desk decide on another thread.
    async fn taken(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: IpAddr,
        decide: fn(&Desk, &[u8]) -> Result<String, Refused>,
    ) -> Response<Full<Bytes>> {
        match self.read(request, client).await {
            Err(refused) => {
                let mut answer = refuse(&refused);
                // What is left of the body is not read.
                answer
                    .headers_mut()
                    .insert(hyper::header::CONNECTION, HeaderValue::from_static("close"));
                answer
            }
            Ok((body, _place)) => {
                let desk = Arc::clone(&self.desk);
                let decided = spawn_blocking(move || decide(&desk, &body)).await;
                match decided {
                    Ok(Ok(text)) => json(StatusCode::OK, text),
                    Ok(Err(refused)) => refuse(&refused),
                    Err(_) => refuse(&Refused::new(
                        500,
                        "directory_unable",
                        "this directory failed to decide",
                        "tell whoever runs it",
                    )),
                }
            }
        }
    }

    async fn read(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Refused> {
        let allowed = {
            let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            gate.take(client)
        };
        if !allowed {
            return Err(Refused::new(
                429,
                "too_many",
                "too many listings and reports come from this address, or from all",
                "send each report once, and list again when half of a listing's time is over",
            ));
        }
        if request.body().size_hint().lower() > MAX_UPLOAD as u64 {
            return Err(Refused::too_long(MAX_UPLOAD));
        }
        let slow = || {
            Refused::new(
                408,
                "upload_slow",
                &format!("the body took longer than {} s", self.limits.body.as_secs()),
                "send it again, over a faster connection",
            )
        };
        let place = timeout(self.limits.body, Arc::clone(&self.bodies).acquire_owned()).await;
        let place = place.ok().and_then(Result::ok).ok_or_else(slow)?;
        let body = Limited::new(request.into_body(), MAX_UPLOAD).collect();
        match timeout(self.limits.body, body).await {
            Err(_) => Err(slow()),
            Ok(Ok(body)) => Ok((body.to_bytes(), place)),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Refused::too_long(MAX_UPLOAD))
            }
            Ok(Err(_)) => Err(Refused::new(
                400,
                "upload_malformed",
                "the body ended early",
                "send all of it",
            )),
        }
    }
}

impl Desk {
    fn listing_answer(&self, body: &[u8]) -> Result<String, Refused> {
        Ok(self.list(body)?.json().to_string())
    }

    fn report_answer(&self, body: &[u8]) -> Result<String, Refused> {
        self.report(body)?;
        Ok("{}".to_owned())
    }
}

fn json(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

fn refuse(refused: &Refused) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(refused.status);
    json(
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        refused.json(),
    )
}

fn method(wanted: &str) -> Response<Full<Bytes>> {
    refuse(&Refused::new(
        405,
        "method_not_allowed",
        &format!("only {wanted} is answered here"),
        "docs/spec/network.md lists what is",
    ))
}

/// Listens where `--listen` says.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        anyhow::anyhow!(
            "cannot listen on {address}: {error}\nhint: stop what uses it, or choose another address with --listen"
        )
    })
}
