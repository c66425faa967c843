//! A request over a verified connection, and what comes back.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, Request, Response,
    header::{
        CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, PROXY_AUTHENTICATE, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
    http::response::Parts,
};

use super::{
    gate::{Gate, Lease, Tries},
    given_up::GivenUp,
    receipts::Job,
    reply,
};
use crate::{Answer, Error};

/// The most bytes of an answer that is not an event stream.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Headers for one hop (RFC 9110 §7.6.1), never passed to the next.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    CONTENT_LENGTH,
];

/// Sends over lent connections until one takes the request. The enclave or the host may have closed an idle one in the meantime. If
/// no answer had begun, the program has seen nothing of it, and another connection is lent. Not forever: [`Gate::lend`] counts.
///
/// What a relay says of a key is believed only if fresh evidence proves another: it might have the request answered twice.
pub(super) async fn send(
    gate: &Arc<Gate>,
    request: Request<Bytes>,
    job: Option<Job>,
) -> Result<(Lease, Response<Answer>), Unsent> {
    let mut tries = Tries::default();
    let mut gone = None;
    loop {
        let lent = gate.lend(&mut tries).await;
        let sent = gone.is_some();
        let lease = lent.map_err(|error| Unsent { error, sent })?;
        let reused = lease.reused;
        let key = lease.connection.trusted().claims().hpke_key;
        if gone == Some(key) {
            // One from before says nothing of what is in use now.
            if reused {
                continue;
            }
            let why = "it said that the enclave does not have a key which fresh evidence proves";
            let error = Error::Relay { why: why.into() };
            return Err(Unsent { error, sent });
        }
        match send_over(gate, lease, request.clone(), job).await {
            Err(Error::Closed) => {}
            Err(Error::RelayKeyGone) => gone = Some(key),
            Err(Error::Incomplete { .. }) if reused => {}
            outcome => return outcome.map_err(|error| Unsent { error, sent: true }),
        }
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) error: Error,
    /// Whether some of it may have left.
    pub(super) sent: bool,
}

/// A request under way. If its program leaves before the answer begins, its receipt is asked for over another connection.
struct Sending<'a> {
    gate: &'a Arc<Gate>,
    job: Option<Job>,
    lease: Option<Lease>,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let (Some(lease), Some(job)) = (&self.lease, self.job)
            && self.gate.wants_receipts()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(GivenUp::new(self.gate, job.asked(), &lease.connection).ask());
        }
    }
}

async fn send_over(
    gate: &Arc<Gate>,
    lease: Lease,
    request: Request<Bytes>,
    job: Option<Job>,
) -> Result<(Lease, Response<Answer>), Error> {
    let ended = lease.end_of_trust();
    let mut sending = Sending {
        gate,
        job,
        lease: None,
    };
    let lease = sending.lease.insert(lease);
    let answer = tokio::select! {
        answer = lease.connection.send(request) => answer,
        error = ended => Err(error),
    };
    let lease = sending.lease.take().ok_or(Error::Closed)?;
    Ok((lease, answer?))
}

/// Reads the whole of a plain answer, so that one that breaks off is an error and never a shorter answer.
pub(super) async fn collect(lease: &Lease, body: Answer) -> Result<Bytes, Error> {
    let ended = lease.end_of_trust();
    let body = tokio::select! {
        body = Limited::new(body, MAX_ANSWER).collect() => body,
        error = ended => return Err(error),
    };
    match body {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(_) => Error::Protocol(format!("its answer has more than {MAX_ANSWER} bytes")),
        }),
    }
}

/// An answer's head as a local program sees it, its body, and whether that is a stream of events.
pub(super) fn opened(lease: &Lease, answer: Response<Answer>) -> (Parts, Answer, bool) {
    let simulated = lease.connection.trusted().simulated();
    let (mut head, body) = answer.into_parts();
    strip(&mut head.headers);
    head.headers
        .insert(reply::VERDICT, reply::verdict(simulated));
    let kind = head.headers.get(CONTENT_TYPE);
    let events = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    (head, body, events)
}

pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.into_iter().chain(HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_what_the_connection_header_names() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, "close, X-Hop".parse().unwrap());
        headers.insert("x-hop", "1".parse().unwrap());
        headers.insert("x-end", "2".parse().unwrap());
        strip(&mut headers);
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-end"]
        );
    }
}
