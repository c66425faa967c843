//! The path of one request: read whole, cleaned, sent over a verified connection, its answer passed on.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use chrysalis_wire::api::{HEALTH, max_body};
use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, Method, Request, Response,
    body::{Body as _, Incoming},
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT,
        HOST, HeaderName, ORIGIN, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, REFERER, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};

use super::{
    door::{self, Rules},
    gate::{Gate, Lease, Tries},
    given_up::GivenUp,
    network::{self, Pool},
    page,
    receipts::Job,
    reply::{self, BadRequest, Body},
    stream,
};
use crate::{Answer, Error, deadlines::within};

/// The most bytes of an answer that is not an event stream.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// How long a local program may take to send the body of a request.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// Who answers.
#[derive(Clone)]
pub(super) enum Upstream {
    /// One enclave.
    One(Arc<Gate>),
    /// Whoever of a network.
    Network(Arc<Pool>),
}

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
/// Headers that stay on this machine: the local program's secrets and where it asks from. An encoded answer could not be cut at its
/// events.
const KEPT_HERE: [HeaderName; 10] = [
    AUTHORIZATION,
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
    PROXY_AUTHORIZATION,
    COOKIE,
    HOST,
    ORIGIN,
    REFERER,
    EXPECT,
    ACCEPT_ENCODING,
];

/// Answers one request that came through the door, on a connection whose own end is `local`.
pub(super) async fn answer(
    upstream: Upstream,
    rules: &Rules,
    local: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let origin = match rules.origin(&request, local) {
        Ok(origin) => origin,
        Err(why) => return Ok(reply::bad_request(why)),
    };
    let Some(origin) = origin else {
        return Ok(Box::pin(admitted(upstream, rules, request)).await);
    };
    let answer = if door::is_preflight(&request) {
        page::preflight(request.headers())
    } else {
        Box::pin(admitted(upstream, rules, request)).await
    };
    Ok(page::readable(answer, origin))
}

async fn admitted(upstream: Upstream, rules: &Rules, request: Request<Incoming>) -> Response<Body> {
    if let Err(why) = rules.head(&request) {
        return reply::bad_request(why);
    }
    if request.uri().path().trim_end_matches('/') == HEALTH {
        return match *request.method() {
            Method::GET | Method::HEAD => match &upstream {
                Upstream::One(gate) => reply::health(gate.target(), &gate.standing()),
                Upstream::Network(pool) => pool.health(),
            },
            _ => reply::bad_request(BadRequest::Method),
        };
    }
    let request = match read(request).await {
        Ok(request) => request,
        Err(why) => return reply::bad_request(why),
    };
    let gate = match upstream {
        Upstream::One(gate) => gate,
        Upstream::Network(pool) => return network::answer(&pool, request).await,
    };
    match Box::pin(forward(gate, request)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(event = "no_answer", code = error.code());
            reply::no_answer(&error)
        }
    }
}

async fn read(request: Request<Incoming>) -> Result<Request<Bytes>, BadRequest> {
    let (mut head, body) = request.into_parts();
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let most = max_body(head.uri.path());
    if announced > most && head.headers.contains_key(EXPECT) {
        return Err(BadRequest::BodyTooLong(most));
    }
    let body = match within(BODY_DEADLINE, "request", read_body(body, most)).await {
        Ok(Ok(Some(body))) => body,
        Ok(Ok(None)) => return Err(BadRequest::BodyTooLong(most)),
        Ok(Err(_)) | Err(_) => return Err(BadRequest::Unfinished),
    };
    strip(&mut head.headers);
    for name in KEPT_HERE {
        head.headers.remove(name);
    }
    Ok(Request::from_parts(head, body))
}

/// The whole body, or `None` if it is too long. A body that is too long is still read, and dropped: a program that is cut off while
/// it sends would not read the reason.
async fn read_body(mut body: Incoming, most: usize) -> Result<Option<Bytes>, hyper::Error> {
    let mut whole = Some(BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else {
            continue;
        };
        whole = whole.filter(|so_far| so_far.len().saturating_add(piece.len()) <= most);
        if let Some(so_far) = &mut whole {
            so_far.extend_from_slice(&piece);
        }
    }
    Ok(whole.map(BytesMut::freeze))
}

async fn forward(gate: Arc<Gate>, mut request: Request<Bytes>) -> Result<Response<Body>, Error> {
    // A receipt belongs to a connection, and a relay's is shared.
    let job = if gate.is_relayed() {
        None
    } else {
        Job::of(&mut request)?
    };
    let sent = send(&gate, request, job).await;
    let (mut lease, answer) = sent.map_err(|unsent| unsent.error)?;
    let simulated = lease.connection.trusted().simulated();
    let (mut head, body) = answer.into_parts();
    strip(&mut head.headers);
    head.headers
        .insert(reply::VERDICT, reply::verdict(simulated));
    // What is refused has no receipt.
    let job = job.filter(|_| head.status.is_success());
    let events = head
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let body = if events {
        stream::body(gate, lease, body, job)
    } else {
        let whole = collect(&lease, body).await?;
        if let Some(job) = job {
            job.whole(&gate, &mut lease, &mut head.headers, &whole)
                .await?;
        }
        gate.give_back(lease);
        reply::whole(whole)
    };
    Ok(Response::from_parts(head, body))
}

/// Sends over lent connections until one takes the request. The enclave or the host may have closed an idle one in the meantime. If
/// no answer had begun, the program has seen nothing of it, and another connection is lent. Not forever: [`Gate::lend`] counts.
pub(super) async fn send(
    gate: &Arc<Gate>,
    request: Request<Bytes>,
    job: Option<Job>,
) -> Result<(Lease, Response<Answer>), Unsent> {
    let mut tries = Tries::default();
    loop {
        let lent = gate.lend(&mut tries).await;
        let lease = lent.map_err(|error| Unsent { error, sent: false })?;
        let reused = lease.reused;
        match send_over(gate, lease, request.clone(), job).await {
            Err(Error::Closed) => {}
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
