//! Responses: bodies of every kind, and the headers that go with them.

use std::{convert::Infallible, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Response, StatusCode,
    body::Frame,
    header::{ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde_json::Value;

use super::error::ApiError;

/// A body, whole or streaming.
pub(super) type Body = UnsyncBoxBody<Bytes, Broken>;

/// This body stops before the answer is complete: the connection ends without the end of the body.
#[derive(Debug, thiserror::Error)]
#[error("the answer is incomplete")]
pub(super) struct Broken;

/// A stream of the pieces of a body.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Broken>> + Send>>;

/// A whole body.
pub(super) fn whole(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never: Infallible| match never {});
    build(status, kind, body.boxed_unsync())
}

/// A JSON body.
pub(super) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    whole(status, "application/json", value.to_string())
}

/// A stream of server-sent events. The standard allows only UTF-8; some clients go by the header.
pub(super) fn events(pieces: Pieces) -> Response<Body> {
    build(
        StatusCode::OK,
        "text/event-stream; charset=utf-8",
        StreamBody::new(pieces).boxed_unsync(),
    )
}

/// A body of any kind that comes in pieces.
pub(super) fn stream(status: StatusCode, kind: &'static str, pieces: Pieces) -> Response<Body> {
    build(status, kind, StreamBody::new(pieces).boxed_unsync())
}

/// An answer cannot be read between client and enclave, and should not be kept at either end.
fn build(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error's body, and what to do about it if a header says so.
pub(super) fn error(error: &ApiError) -> Response<Body> {
    error_as(error, &error.to_json())
}

/// The same with another body.
pub(super) fn error_as(error: &ApiError, body: &Value) -> Response<Body> {
    let mut response = json(error.status, body);
    let headers = response.headers_mut();
    if let Some(seconds) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        // RFC 9110 §12.5.3: with this status, the encodings that a request may use.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    response
}

/// An error about the method, with the ones to use.
pub(super) fn wrong_method(allowed: &[Method]) -> Response<Body> {
    let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    let allowed = allowed.join(", ");
    let mut response = error(&ApiError::method(&allowed));
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
