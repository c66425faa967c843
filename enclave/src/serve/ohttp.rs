//! Requests that came through a relay: opened on their way in, answers sealed on their way out. What is inside is answered by the
//! same routes as a request over TLS (docs/spec/relay.md).

use bytes::Bytes;
use chrysalis_ohttp::{
    self as ohttp, Answering, END, Error, Form, NONCE, Opened, Request as Inside, Sealer,
};
use chrysalis_wire::api::MAX_BODY;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Frame,
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue},
};
use serde_json::json;

use super::{
    answer::{self, Body, Broken},
    error::ApiError,
    intake::{self, Arriving},
    service::Service,
};
use crate::gateway::Unopened;

/// The most bytes of an encapsulated request: the longest body that is no recording, its head, and what padding adds.
const MAX_ENCAPSULATED: usize = 2 * MAX_BODY + 64 * 1024;
/// The host that clients may name if they know no other: that of the certificate.
const NO_HOST: &str = "enclave.invalid";
/// RFC 9458 §5.3: what a gateway answers to a request for a key that it does not have.
const KEY_PROBLEM: &str = "https://iana.org/assignments/http-problem-types#ohttp-key";

/// A request that was opened.
pub(super) struct Received {
    pub(super) request: Request<Bytes>,
    /// What only this request's client and the enclave know.
    pub(super) asker: [u8; 32],
    pub(super) answering: Answering,
}

/// Why a request is not answered as one that was opened.
pub(super) enum Refused {
    /// With this error, for the relay and whoever asked it.
    Openly(ApiError),
    /// The key is not in use.
    Key,
    /// With this error, sealed.
    Sealed(Box<Answering>, ApiError),
}

/// The key configurations.
pub(super) fn keys(service: &Service) -> Response<Body> {
    let keys = service.attester.gateway().configurations();
    answer::whole(StatusCode::OK, ohttp::KEYS_TYPE, keys)
}

/// Reads an encapsulated request and opens it.
pub(super) async fn receive(
    service: &Service,
    headers: &HeaderMap,
    body: Arriving,
) -> Result<Received, Refused> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let form = kind.and_then(Form::of_request);
    let form = form.ok_or(Refused::Openly(ApiError::no_ohttp()))?;
    let body = intake::bytes(headers, body, MAX_ENCAPSULATED).await;
    let body = body.map_err(Refused::Openly)?;
    let opened = service
        .attester
        .gateway()
        .open(form, &body)
        .map_err(|why| match why {
            Unopened::Wrong(Error::UnknownKey) => Refused::Key,
            Unopened::Wrong(error) => Refused::Openly(ApiError::ohttp(error)),
            Unopened::Replayed => Refused::Openly(ApiError::replayed()),
            Unopened::Full => Refused::Openly(ApiError::relays_full()),
        })?;
    let Opened {
        message,
        encapsulated,
        answering,
    } = opened;
    match inside(&message, headers) {
        Ok(request) => Ok(Received {
            request,
            asker: service.asker(&encapsulated),
            answering,
        }),
        Err(error) => Err(Refused::Sealed(Box::new(answering), error)),
    }
}

/// What was encapsulated, as any other request. It must be for this host.
fn inside(message: &[u8], outer: &HeaderMap) -> Result<Request<Bytes>, ApiError> {
    let Inside {
        method,
        scheme,
        authority,
        path,
        headers,
        body,
    } = Inside::decode(message).map_err(ApiError::ohttp)?;
    let here = outer.get(HOST).map(HeaderValue::as_bytes);
    let is_here = authority == NO_HOST.as_bytes() || here.is_some_and(|here| here == authority);
    if scheme != b"https" || !is_here {
        return Err(ApiError::other_host());
    }
    let broken = || ApiError::ohttp(Error::Inside("its head is not that of a request"));
    let path = Uri::try_from(path).map_err(|_| broken())?;
    let method = Method::from_bytes(&method).map_err(|_| broken())?;
    // A target in origin form, as on a connection of its own.
    if path.scheme().is_some() || path.authority().is_some() {
        return Err(broken());
    }
    let mut request = Request::new(Bytes::from(body));
    (*request.method_mut(), *request.uri_mut()) = (method, path);
    for (name, value) in headers {
        let name = HeaderName::from_bytes(&name).map_err(|_| broken())?;
        let value = HeaderValue::from_maybe_shared(Bytes::from(value)).map_err(|_| broken())?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

/// The answer to a request that was not opened or is not for here.
pub(super) async fn refusal(service: &Service, refused: Refused) -> Response<Body> {
    match refused {
        Refused::Openly(error) => answer::error(&error),
        Refused::Key => {
            let problem = json!({
                "type": KEY_PROBLEM,
                "title": "the key is not in use; ask for the keys again, and verify them",
            });
            let kind = "application/problem+json";
            answer::whole(StatusCode::BAD_REQUEST, kind, problem.to_string())
        }
        Refused::Sealed(answering, error) => {
            sealed(service, *answering, answer::error(&error)).await
        }
    }
}

/// Seals an answer in the form of its request.
pub(super) async fn sealed(
    service: &Service,
    answering: Answering,
    answer: Response<Body>,
) -> Response<Body> {
    let form = answering.form();
    let sealing = async {
        let nonce = service.random::<NONCE>().ok()?;
        match form {
            Form::Whole => whole(answering, &nonce, answer).await,
            Form::Chunked => chunked(answering, nonce, answer),
        }
    };
    sealing
        .await
        .unwrap_or_else(|| answer::error(&ApiError::broken()))
}

async fn whole(
    answering: Answering,
    nonce: &[u8; NONCE],
    answer: Response<Body>,
) -> Option<Response<Body>> {
    let mut message = head(&answer);
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    message.extend(ohttp::content(&body));
    message.extend(END);
    let sealed = answering.seal(nonce, &message).ok()?;
    let kind = Form::Whole.answer_type();
    Some(answer::whole(StatusCode::OK, kind, sealed))
}

/// Each piece of the body is a chunk at once, so that a stream stays one. If the body breaks off, the final chunk is missing.
fn chunked(
    answering: Answering,
    nonce: [u8; NONCE],
    answer: Response<Body>,
) -> Option<Response<Body>> {
    let mut sealer = answering.begin(&nonce).ok()?;
    let head = sealer.piece(&head(&answer)).ok()?;
    let begun = Bytes::from([nonce.as_slice(), &head].concat());
    let rest = Some((sealer, answer.into_body()));
    let pieces = stream::unfold((Some(begun), rest), |(begun, rest)| async {
        if let Some(begun) = begun {
            return Some((Ok(Frame::data(begun)), (None, rest)));
        }
        let (piece, rest) = next(rest?).await;
        Some((piece.map(Frame::data), (None, rest)))
    });
    let kind = Form::Chunked.answer_type();
    Some(answer::stream(StatusCode::OK, kind, Box::pin(pieces)))
}

/// The next chunk, and what comes after it, if anything.
async fn next(
    (mut sealer, mut body): (Sealer, Body),
) -> (Result<Bytes, Broken>, Option<(Sealer, Body)>) {
    loop {
        let piece = match body.frame().await {
            None => return (sealer.last(&END).map(Bytes::from).or(Err(Broken)), None),
            Some(Err(Broken)) => return (Err(Broken), None),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) if !piece.is_empty() => sealer.piece(&ohttp::content(&piece)),
                _ => continue,
            },
        };
        return match piece {
            Ok(piece) => (Ok(piece.into()), Some((sealer, body))),
            Err(_) => (Err(Broken), None),
        };
    }
}

fn head(answer: &Response<Body>) -> Vec<u8> {
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    ohttp::head(answer.status().as_u16(), headers)
}
