//! What comes in: heads within their bounds, and bodies, up to a length and within a time.

use std::time::Duration;

use bytes::Bytes;
use chrysalis_wire::api::{self, MAX_BODY, MAX_RECORDING};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Request,
    body::{Body as _, Incoming},
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use serde_json::Value;
use tokio::time::timeout;

use super::{body, error::ApiError, receipt::Meter};

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// The same for a recording, which a phone may send at 2 Mbit/s.
const RECORDING_PATIENCE: Duration = Duration::from_mins(2);
/// How much of an overlong body is still read, and thrown away, so that its sender gets to read why.
const MAX_DISCARDED: usize = 128 * 1024 * 1024;

/// A body on its way in: from a connection, or from inside a request that came through a relay.
pub(super) type Arriving = UnsyncBoxBody<Bytes, hyper::Error>;

/// A body that arrives on a connection.
pub(super) fn arriving(body: Incoming) -> Arriving {
    body.boxed_unsync()
}

/// A body that is here.
pub(super) fn arrived(body: Bytes) -> Arriving {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Reads the JSON of a body.
pub(super) async fn json(headers: &HeaderMap, body: Arriving) -> Result<Value, ApiError> {
    if has_other_charset(headers) {
        tokio::spawn(discard(body));
        return Err(ApiError::other_charset());
    }
    body::json(&bytes(headers, body, MAX_BODY).await?)
}

/// Reads a body of at most so many bytes.
pub(super) async fn bytes(
    headers: &HeaderMap,
    body: Arriving,
    most: usize,
) -> Result<Bytes, ApiError> {
    within(headers, body, most, BODY_PATIENCE).await
}

/// Reads a body with a recording in it.
pub(super) async fn recording(headers: &HeaderMap, body: Arriving) -> Result<Bytes, ApiError> {
    within(headers, body, MAX_RECORDING, RECORDING_PATIENCE).await
}

async fn within(
    headers: &HeaderMap,
    body: Arriving,
    most: usize,
    patience: Duration,
) -> Result<Bytes, ApiError> {
    if is_encoded(headers) {
        tokio::spawn(discard(body));
        return Err(ApiError::encoded_body());
    }
    let body = read(body, most, patience).await?;
    Meter::current().request(&body);
    Ok(body)
}

/// Whether the head is within the API's limits.
pub(super) fn fits<B>(request: &Request<B>) -> bool {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
    api::head_fits(
        request.method().as_str(),
        &request.uri().to_string(),
        headers,
    )
}

/// Whether the body is compressed or otherwise encoded. This server does not decode it: a few bytes could unpack to any
/// size.
fn is_encoded(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
}

/// Whether the body is text in another character set than UTF-8.
fn has_other_charset(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(CONTENT_TYPE).iter();
    kinds
        .filter_map(|kind| kind.to_str().ok())
        .flat_map(|kind| kind.split(';').skip(1))
        .filter_map(|parameter| parameter.trim().split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, charset)| charset.trim().trim_matches('"'))
        .any(|charset| {
            let same = ["utf-8", "utf8", "us-ascii"];
            !same.iter().any(|name| charset.eq_ignore_ascii_case(name))
        })
}

/// Reads a body up to the limit. The rest of a longer one is thrown away in the background: a client that is still sending
/// when the connection closes would never read why.
async fn read(body: Arriving, most: usize, patience: Duration) -> Result<Bytes, ApiError> {
    let announced = body.size_hint().lower();
    if announced > most as u64 {
        tokio::spawn(discard(body));
        return Err(ApiError::body_too_long(most));
    }
    let mut body = body;
    match timeout(patience, Limited::new(&mut body, most).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            tokio::spawn(discard(body));
            Err(ApiError::body_too_long(most))
        }
        Ok(Err(_)) => Err(ApiError::malformed("the body ended early; send it again")),
        Err(_) => Err(ApiError::slow_body(patience.as_secs())),
    }
}

async fn discard(mut body: Arriving) {
    let mut left = MAX_DISCARDED;
    let discarding = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    let _ = timeout(BODY_PATIENCE, discarding).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn only_utf_8_is_read() {
        for (kind, other) in [
            ("application/json", false),
            ("application/json; charset=UTF-8", false),
            ("application/json;charset=\"utf8\"", false),
            ("text/plain; boundary=x; Charset = us-ascii", false),
            ("application/json; charset=iso-8859-1", true),
            ("application/json; charset=utf-16", true),
            ("application/json; charset=", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(has_other_charset(&headers), other, "{kind}");
        }
    }
}
