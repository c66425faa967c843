//! Requests that are answered with a receipt: a whole answer has it in a header, a stream as an event before its last. Nothing else changes.
//! This wraps what answers a request.
//!
//! Without payment each connection has a tab of its own. A stream is cancelled by closing its connection, for HTTP/1.1 has no other way, and
//! then its tab's last receipt is kept for whoever shows that connection's exporter. A paid tab is its client's, over any connection.

mod body;
mod headers;
mod paid;
mod tab;

use std::future::Future;

use chrysalis_settle::{End, TabsFull};
use chrysalis_wire::{
    api::{CAP, JOB, QUOTE, RECEIPT},
    content::of_whole,
};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Response,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use ring::digest::{SHA256, digest};

pub(super) use self::tab::tab;
use self::{body::Receipted, headers::Named};
use super::{
    answer::Body,
    conversation::Conversation,
    error::ApiError,
    receipt::{Entry, Issue, Meter},
    service::Service,
};

/// Answers a request, with a receipt if it names a job. What is refused has none.
pub(super) async fn receipted(
    service: &Service,
    conversation: &Conversation,
    headers: &HeaderMap,
    answering: impl Future<Output = Result<Response<Body>, ApiError>>,
) -> Result<Response<Body>, ApiError> {
    let pays = service.till.as_ref().is_some_and(|till| till.required);
    match Named::of(headers)? {
        Named::Paid(asked) => {
            let exporter = &conversation.exporter;
            let (response, issue, meter) =
                paid::answer(service, exporter, &asked, answering).await?;
            hand_over(response, issue, meter).await
        }
        Named::Job(job) if !pays => {
            let seat = conversation.seat(&service.issuer);
            let seat = seat.map_err(|TabsFull| ApiError::tabs_full())?;
            let issue = seat.begin(job).map_err(|_| ApiError::job_repeated())?;
            let meter = Meter::new(Entry::Open);
            let response = meter.scope(answering).await?;
            hand_over(response, issue, meter).await
        }
        Named::Job(_) | Named::Nothing => paid::free(service, answering).await,
    }
}

/// Answers a request that came through a relay. Its client has no connection, hence no tab.
pub(super) async fn relayed(
    service: &Service,
    headers: &HeaderMap,
    answering: impl Future<Output = Result<Response<Body>, ApiError>>,
) -> Result<Response<Body>, ApiError> {
    if [JOB, QUOTE, CAP]
        .iter()
        .any(|name| headers.contains_key(*name))
    {
        return Err(ApiError::job_through_relay());
    }
    paid::free(service, answering).await
}

async fn hand_over(
    response: Response<Body>,
    issue: Issue,
    meter: Meter,
) -> Result<Response<Body>, ApiError> {
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        return Ok(response.map(|body| Receipted::new(body, issue, meter).boxed_unsync()));
    }
    whole(response, issue, &meter).await
}

/// A whole answer with its receipt beside it.
async fn whole(
    response: Response<Body>,
    issue: Issue,
    meter: &Meter,
) -> Result<Response<Body>, ApiError> {
    let (mut head, body) = response.into_parts();
    let Ok(body) = body.collect().await else {
        issue.refused(true);
        return Err(ApiError::broken());
    };
    let body = body.to_bytes();
    let hash = digest(&SHA256, of_whole(&body))
        .as_ref()
        .try_into()
        .unwrap_or_default();
    let used = meter.used();
    let end = used.end.unwrap_or(End::Failed);
    let receipt = issue.receipt(&used, hash, end);
    let receipt = receipt.map(|receipt| receipt.to_text());
    if let Some(receipt) = receipt.and_then(|text| HeaderValue::try_from(text).ok()) {
        head.headers
            .insert(HeaderName::from_static(RECEIPT), receipt);
    }
    let body = Full::new(body).map_err(|never: std::convert::Infallible| match never {});
    Ok(Response::from_parts(head, body.boxed_unsync()))
}
