//! Receipts: what this enclave answered to what, signed (docs/spec/receipt.md).
//!
//! A request that names a job gets one: a whole answer in a header, a stream as an event before its last. Nothing else changes. This wraps
//! what answers a request; the endpoints know nothing of it, but that they count ([`Meter`]).
//!
//! Without payment each connection has a tab of its own. A stream is cancelled by closing its connection, for HTTP/1.1 has no other way, and
//! then its tab's last receipt is kept for whoever shows that connection's exporter: `POST /v1/tab`.

mod body;
mod issue;
mod meter;

use std::future::Future;

use chrysalis_attestation::encoding::cbor::{self, Value};
use chrysalis_settle::{End, JobNumber, Receipt, TabsFull};
use chrysalis_wire::api::{JOB, RECEIPT};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use ring::digest::{SHA256, digest};

use self::{body::Receipted, issue::Issue};
pub(super) use self::{
    issue::{Issuer, Seat},
    meter::Meter,
};
use super::{
    answer::{self, Body},
    conversation::Conversation,
    error::ApiError,
    intake,
    service::Service,
};

/// The most bytes of a body of `POST /v1/tab`.
const MAX_ASKED: usize = 64;

/// Answers a request, with a receipt if it names a job. What is refused has none.
pub(super) async fn receipted(
    service: &Service,
    conversation: &Conversation,
    headers: &HeaderMap,
    answering: impl Future<Output = Result<Response<Body>, ApiError>>,
) -> Result<Response<Body>, ApiError> {
    let Some(job) = job(headers)? else {
        return answering.await;
    };
    let seat = conversation
        .seat(&service.issuer)
        .map_err(|TabsFull| ApiError::tabs_full())?;
    let issue = seat
        .begin(job, Meter::new())
        .map_err(|_| ApiError::job_repeated())?;
    let response = issue.meter.scope(answering).await?;
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        return Ok(response.map(|body| Receipted::new(body, issue).boxed_unsync()));
    }
    whole(response, issue).await
}

/// `POST /v1/tab`: the last receipt of this connection, or of the one whose exporter is the body.
pub(super) async fn tab(
    service: &Service,
    conversation: &Conversation,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Response<Body>, ApiError> {
    let asked = intake::bytes(headers, body, MAX_ASKED).await?;
    conversation.is_answered();
    let own = conversation.exporter;
    let exporter = match <[u8; 32]>::try_from(&asked[..]) {
        Ok(exporter) => exporter,
        Err(_) if asked.is_empty() => own,
        Err(_) => {
            let message = "the body is neither empty nor the 32 bytes of a connection's exporter";
            return Err(ApiError::invalid("body", message));
        }
    };
    let last = match service.issuer.tab(&exporter) {
        Some(tab) => tab.last(),
        None if exporter == own => None,
        None => return Err(ApiError::tab_unknown()),
    };
    let last = last.as_ref().map(Receipt::encode);
    let answer = cbor::encode(&cbor::map([(
        "last",
        last.map_or(Value::Null, Value::Bytes),
    )]));
    Ok(answer::whole(StatusCode::OK, "application/cbor", answer))
}

/// The number of the job that a request names.
fn job(headers: &HeaderMap) -> Result<Option<JobNumber>, ApiError> {
    let mut named = headers.get_all(JOB).iter();
    let Some(first) = named.next() else {
        return Ok(None);
    };
    let mut number = JobNumber::default();
    match hex::decode_to_slice(first.as_bytes(), &mut number) {
        Ok(()) if named.next().is_none() => Ok(Some(number)),
        _ => {
            let message = format!(
                "{JOB} is not 32 hexadecimal digits, once; draw them at random for each job"
            );
            Err(ApiError::invalid(JOB, message))
        }
    }
}

/// A whole answer with its receipt beside it.
async fn whole(response: Response<Body>, issue: Issue) -> Result<Response<Body>, ApiError> {
    let (mut head, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|_| ApiError::broken())?
        .to_bytes();
    let hash = digest(&SHA256, &body)
        .as_ref()
        .try_into()
        .unwrap_or_default();
    let end = issue.meter.used().end.unwrap_or(End::Failed);
    let receipt = issue.receipt(hash, end).map(|receipt| receipt.to_text());
    if let Some(receipt) = receipt.and_then(|text| HeaderValue::try_from(text).ok()) {
        head.headers
            .insert(HeaderName::from_static(RECEIPT), receipt);
    }
    let body = Full::new(body).map_err(|never: std::convert::Infallible| match never {});
    Ok(Response::from_parts(head, body.boxed_unsync()))
}
