//! What the host sees of an answer: sizes and times of TLS records. Here they are made to say little about the words.
//!
//! Everything that answers a request passes through [`Padder::fill`], and nothing else knows of padding. A write of hyper's is
//! one run of TLS records, and each frame of a body is one write at most, so a record's size follows from the filled sizes alone:
//!
//! - A frame of events is filled by a comment to a power of two, at least 512. The events of the APIs have 110 to 400
//!   bytes without their words; with a lower floor the next boundary would tell short words from long ones. Frames that wait
//!   leave together, each filled.
//! - A whole answer is filled by trailing white space, which JSON and the text formats of transcriptions allow.
//! - The head is filled to a multiple of [`HEAD`] bytes, so that a refusal looks like a short answer.
//! - Evidence is left as it is: it is about the machine, and CBOR has no white space.
//!
//! `paced` hides times as well: see [`paced`].

mod bucket;
mod comment;
mod paced;
mod piece;
mod size;

use std::convert::Infallible;

use bytes::BytesMut;
use chrysalis_wire::configuration::Padding;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    HeaderMap, Method, Response, StatusCode,
    body::Frame,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use tokio::time::{Instant, sleep_until};

use self::{
    bucket::Bucketed,
    paced::{Paced, SECOND},
    size::bucket,
};
use super::answer::Body;

/// What heads are filled to a multiple of.
const HEAD: usize = 256;
/// The header that fills a head.
const FILLING: HeaderName = HeaderName::from_static("x-padding");

/// Fills the answer to one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Padder {
    padding: Padding,
    /// Whether its answer is somebody's: what is only read is the same for everyone.
    told: bool,
    begun: Instant,
}

impl Padder {
    /// For a request of this method that has come now.
    pub(super) fn new(padding: Padding, method: &Method) -> Self {
        Self {
            padding,
            told: method == Method::POST,
            begun: Instant::now(),
        }
    }

    /// The same answer, filled; once it may leave.
    pub(super) async fn fill(self, answer: Response<Body>) -> Response<Body> {
        let (mut head, body) = answer.into_parts();
        let kind = head.headers.get(CONTENT_TYPE);
        let kind = kind.map_or(&b""[..], HeaderValue::as_bytes);
        let body = if kind.starts_with(b"text/event-stream") {
            match self.padding {
                Padding::Bucket => Bucketed::new(body).boxed_unsync(),
                Padding::Paced => Paced::new(body, self.begun).boxed_unsync(),
            }
        } else {
            let body = match filler(kind) {
                Some(filler) => filled(body, filler).await,
                None => body,
            };
            if self.told && self.padding == Padding::Paced {
                sleep_until(next_second(self.begun)).await;
            }
            body
        };
        fill_head(head.status, &mut head.headers);
        Response::from_parts(head, body)
    }
}

/// The white space that may follow a body of this type. In plain text, which may be subtitles, only an empty line means nothing.
fn filler(kind: &[u8]) -> Option<u8> {
    if kind.starts_with(b"application/json") {
        Some(b' ')
    } else {
        kind.starts_with(b"text/plain").then_some(b'\n')
    }
}

/// A whole body in one frame, filled. One that breaks off stays broken.
async fn filled(mut body: Body, filler: u8) -> Body {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(piece)) => whole.extend_from_slice(&piece),
            Ok(Err(_trailers)) => {}
            Err(broken) => {
                let broken = stream::once(std::future::ready(Err(broken)));
                return StreamBody::new(broken).boxed_unsync();
            }
        }
    }
    whole.resize(bucket(whole.len()), filler);
    Full::new(whole.freeze())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// The first full second since then that has not passed.
fn next_second(begun: Instant) -> Instant {
    let seconds = begun.elapsed().as_millis().div_ceil(SECOND.as_millis());
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    begun + SECOND.saturating_mul(seconds.max(1))
}

/// Fills the line and the headers. What hyper adds depends only on sizes that are filled.
fn fill_head(status: StatusCode, headers: &mut HeaderMap) {
    let reason = status.canonical_reason().unwrap_or_default();
    let line = "HTTP/1.1 200 \r\n".len().saturating_add(reason.len());
    let length = |name: &HeaderName, value: usize| {
        let name = name.as_str().len();
        name.saturating_add(value).saturating_add(": \r\n".len())
    };
    let used = headers.iter().fold(line, |used, (name, value)| {
        used.saturating_add(length(name, value.len()))
    });
    // One character at least.
    let used = used.saturating_add(length(&FILLING, 1));
    let missing = used.next_multiple_of(HEAD).saturating_sub(used);
    let filling = "0".repeat(missing.saturating_add(1));
    if let Ok(filling) = HeaderValue::from_str(&filling) {
        headers.insert(FILLING, filling);
    }
}

#[cfg(test)]
mod tests;
