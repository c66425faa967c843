//! HTTP to an engine, over its Unix socket: one connection a request, so that closing it ends the request, and no answer can
//! be taken for another's. Every length and every wait has a bound.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::UnixStream,
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use super::{
    call::{Call, CallBody, Event, Fault},
    sink::Sink,
    sse::Events,
};

/// The most bytes and headers of an answer's head.
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// The most bytes of a body that does not stream.
const MAX_WHOLE: usize = 32 * 1024 * 1024;
/// Bytes on the wire that a byte of text may take: an event has many names and numbers around a token, and with
/// log-probabilities those of twenty others.
const WIRE: usize = 1024;
/// What an answer may take on the wire however short its text.
const OVERHEAD: usize = 4 * 1024 * 1024;
/// How long an engine may be silent: reading a long prompt on a slow machine takes minutes.
const SILENCE: Duration = Duration::from_mins(10);
/// How long an answer may take.
const LONGEST: Duration = Duration::from_hours(2);
/// How long a question to a healthy engine about itself may take.
pub(super) const GLANCE: Duration = Duration::from_secs(5);

/// A connection, until it is dropped.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether the engine answers a path with 200.
pub(super) async fn is_ready(socket: &Path, path: &str) -> bool {
    let request = Request::get(path).body(Full::default());
    let Ok(request) = request else { return false };
    let asked = timeout(GLANCE, send(socket, request)).await;
    matches!(asked, Ok(Ok((_connection, response))) if response.status() == StatusCode::OK)
}

/// Asks, and passes on what comes. Ends early if nobody listens any more.
pub(super) async fn ask(socket: &Path, call: Call, sink: &Sink) -> Result<(), Fault> {
    let most = call.most_text.saturating_mul(WIRE).saturating_add(OVERHEAD);
    let request = request(call)?;
    tokio::select! {
        outcome = timeout(LONGEST, answer(socket, request, most, sink)) => {
            outcome.unwrap_or(Err(Fault::TooSlow))
        }
        () = sink.closed() => Ok(()),
    }
}

fn request(call: Call) -> Result<Request<Full<Bytes>>, Fault> {
    let (kind, body) = match call.body {
        CallBody::Json(value) => ("application/json".to_owned(), value.to_string().into()),
        CallBody::Multipart { boundary, bytes } => {
            (format!("multipart/form-data; boundary={boundary}"), bytes)
        }
    };
    Request::builder()
        .method(Method::POST)
        .uri(call.path)
        .header(CONTENT_TYPE, kind)
        .header(ACCEPT, "text/event-stream, application/json")
        .body(Full::new(body))
        .map_err(|_| Fault::Malformed)
}

async fn send(
    socket: &Path,
    mut request: Request<Full<Bytes>>,
) -> Result<(Connection, Response<Incoming>), Fault> {
    let headers = request.headers_mut();
    headers.insert(HOST, hyper::header::HeaderValue::from_static("engine"));
    headers.insert(CONNECTION, hyper::header::HeaderValue::from_static("close"));
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|_| Fault::Ended)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Fault::Ended)?;
    let connection = Connection(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| fault(&error))?;
    Ok((connection, response))
}

async fn answer(
    socket: &Path,
    request: Request<Full<Bytes>>,
    most: usize,
    sink: &Sink,
) -> Result<(), Fault> {
    let sent = timeout(SILENCE, send(socket, request)).await;
    let (_connection, response) = sent.map_err(|_| Fault::TooSlow)??;
    let status = response.status();
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let mut body = Body {
        body: response.into_body(),
        left: most,
    };
    if !status.is_success() {
        body.left = MAX_HEAD;
        let text = body.whole().await?;
        let body = serde_json::from_slice(&text).unwrap_or(Value::Null);
        let status = status.as_u16();
        return sink.say(Event::Refused { status, body });
    }
    if kind.starts_with("text/event-stream") {
        return stream(&mut body, sink).await;
    }
    body.left = most.min(MAX_WHOLE);
    let bytes = body.whole().await?;
    let event = if kind.starts_with("application/json") {
        Event::Json(serde_json::from_slice(&bytes).map_err(|_| Fault::Malformed)?)
    } else {
        Event::Text(String::from_utf8(bytes).map_err(|_| Fault::Malformed)?)
    };
    sink.say(event)?;
    sink.say(Event::Done)
}

/// Passes on events up to the last, `[DONE]`: an answer without it is not complete.
async fn stream(body: &mut Body, sink: &Sink) -> Result<(), Fault> {
    let mut parser = Events::default();
    while let Some(bytes) = body.next().await? {
        for data in parser.take(&bytes)? {
            if data == b"[DONE]" {
                return sink.say(Event::Done);
            }
            let value = serde_json::from_slice(&data).map_err(|_| Fault::Malformed)?;
            sink.say(Event::Json(value))?;
        }
    }
    Err(if parser.is_open() {
        Fault::Malformed
    } else {
        Fault::Ended
    })
}

/// A body that is read within bounds.
struct Body {
    body: Incoming,
    left: usize,
}

impl Body {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let deadline = Instant::now() + SILENCE;
        loop {
            let frame = timeout_at(deadline, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| Fault::TooSlow)? else {
                return Ok(None);
            };
            // Trailers mean nothing here.
            let Ok(bytes) = frame.map_err(|error| fault(&error))?.into_data() else {
                continue;
            };
            self.left = self.left.checked_sub(bytes.len()).ok_or(Fault::TooLong)?;
            return Ok(Some(bytes));
        }
    }

    async fn whole(&mut self) -> Result<Vec<u8>, Fault> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }
}

fn fault(error: &hyper::Error) -> Fault {
    if error.is_parse() || error.is_parse_too_large() {
        Fault::Malformed
    } else {
        Fault::Ended
    }
}
