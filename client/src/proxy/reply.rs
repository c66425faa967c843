//! What the proxy itself says, in the API's error format, so that programs report it like any other error.

use std::net::SocketAddr;

use bytes::Bytes;
use chrysalis_wire::api;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use super::gate::Standing;
use crate::{Error, Target};

/// Says what kind of trust an answer rests on: `trusted` or `trusted-simulated`.
pub(super) const VERDICT: HeaderName = HeaderName::from_static("x-chrysalis-verdict");
/// Which provider of a network answered: its id in hexadecimal.
pub(super) const PROVIDER: HeaderName = HeaderName::from_static("x-chrysalis-provider");
/// What it asks: nano for a million units, 0 where nobody pays.
pub(super) const PRICE: HeaderName = HeaderName::from_static("x-chrysalis-price");
/// What this answer cost: nano. A stream says it in a comment before its last event.
pub(super) const SPENT: HeaderName = HeaderName::from_static("x-chrysalis-spent");
/// How many times it was asked for.
pub(super) const ATTEMPTS: HeaderName = HeaderName::from_static("x-chrysalis-attempts");
/// The usual clients retry after every 5xx unless this says not to.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A body that may end in an error, which cuts the local connection.
pub type Body = UnsyncBoxBody<Bytes, Error>;

/// A request that the proxy itself refuses.
#[derive(Debug, Clone, Copy)]
pub(super) enum BadRequest {
    /// It is meant for a host other than the listener at `local`.
    Misdirected { local: SocketAddr },
    /// It does not say, once and clearly, which host it is meant for.
    NoHost { local: SocketAddr },
    /// It comes from a web page that was not allowed by name.
    WebPage,
    /// It does not show the token.
    NoToken,
    /// The head is too long.
    HeadTooLong,
    /// The body is too long.
    BodyTooLong(usize),
    /// The body broke off or came too slowly.
    Unfinished,
    /// The proxy's own route takes a different method.
    Method,
}

/// The body of `bytes`.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// The value of [`VERDICT`].
pub(super) fn verdict(simulated: bool) -> HeaderValue {
    HeaderValue::from_static(if simulated {
        "trusted-simulated"
    } else {
        "trusted"
    })
}

/// No trusted answer: the error, and no part of what the enclave said.
pub(super) fn no_answer(error: &Error) -> Response<Body> {
    let status = match error {
        Error::Unreachable { .. }
        | Error::Stalled { .. }
        | Error::Closed
        | Error::NoProvider { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    };
    let message = format!("{error}. hint: {}", error.hint());
    let mut reply = json_reply(status, &shape(&message, kind(error), error.code()));
    if matches!(error, Error::Refused(_)) {
        reply
            .headers_mut()
            .insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    reply
}

/// The event that ends a stream that cannot be completed.
pub(super) fn broken_stream(error: &Error) -> Bytes {
    let message = format!("the answer is incomplete: {error}. hint: {}", error.hint());
    format!("data: {}\n\n", shape(&message, kind(error), error.code())).into()
}

/// A request that was refused before it went anywhere.
pub(super) fn bad_request(why: BadRequest) -> Response<Body> {
    let (status, code, message) = match why {
        BadRequest::Misdirected { local } => (
            StatusCode::MISDIRECTED_REQUEST,
            "misdirected_request",
            format!(
                "the request names a host other than this proxy, http://{local}; use that address, or allow the name: \
                 `chrysalis proxy --host-name NAME`"
            ),
        ),
        BadRequest::NoHost { local } => (
            StatusCode::BAD_REQUEST,
            "invalid_host",
            format!("the request does not say clearly which host it is for; send one header `Host: {local}`"),
        ),
        BadRequest::WebPage => (
            StatusCode::FORBIDDEN,
            "web_page_refused",
            "this proxy serves local programs, not web pages; if this is an app of yours, allow its origin: \
             `chrysalis proxy --allow-origin ORIGIN`"
                .to_owned(),
        ),
        BadRequest::NoToken => (
            StatusCode::UNAUTHORIZED,
            "invalid_api_key",
            "this proxy wants its token as the API key: `Authorization: Bearer TOKEN`".to_owned(),
        ),
        BadRequest::HeadTooLong => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head_too_large",
            format!(
                "the request's line and headers are over the limit of {} bytes or {} headers; send fewer or shorter ones",
                api::MAX_HEAD,
                api::MAX_HEADERS
            ),
        ),
        BadRequest::BodyTooLong(most) => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!(
                "the body is over the limit of {most} bytes; send a shorter conversation or recording"
            ),
        ),
        BadRequest::Unfinished => (
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "the request broke off or came too slowly; send it again".to_owned(),
        ),
        BadRequest::Method => (
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this route takes GET, HEAD".to_owned(),
        ),
    };
    let mut reply = json_reply(status, &shape(&message, "invalid_request_error", code));
    let extra = match why {
        BadRequest::NoToken => Some((WWW_AUTHENTICATE, "Bearer")),
        BadRequest::Method => Some((ALLOW, "GET, HEAD")),
        _ => None,
    };
    if let Some((name, value)) = extra {
        reply
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// The proxy's own health: whether the next request would find trust.
pub(super) fn health(
    target: Option<&Target>,
    standing: &Result<Standing, Option<Error>>,
) -> Response<Body> {
    let upstream = target.map(Target::to_string);
    let (status, body) = match standing {
        Ok(standing) => (
            StatusCode::OK,
            json!({
                "status": "ok",
                "verdict": if standing.simulated { "trusted-simulated" } else { "trusted" },
                "upstream": upstream,
                "verified_at": standing.verified.0,
                "trusted_until": standing.until.0,
            }),
        ),
        Err(error) => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({
                "status": "not_trusted",
                "verdict": null,
                "upstream": upstream,
                "code": error.as_ref().map(Error::code),
            }),
        ),
    };
    json_reply(status, &body)
}

fn kind(error: &Error) -> &'static str {
    if error.is_verdict() {
        "attestation_error"
    } else {
        "upstream_error"
    }
}

fn shape(message: &str, kind: &str, code: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
}

/// A request that nothing here takes.
pub(super) fn not_taken(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    json_reply(status, &shape(message, "invalid_request_error", code))
}

/// An answer of the proxy's own.
pub(super) fn json_reply(status: StatusCode, body: &Value) -> Response<Body> {
    let mut reply = Response::new(whole(body.to_string()));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
