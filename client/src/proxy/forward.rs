//! The path of one request: read whole, cleaned, sent over a verified connection, its answer passed on.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use chrysalis_wire::api::{HEALTH, max_body};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Method, Request, Response,
    body::{Body as _, Incoming},
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, COOKIE, EXPECT, HOST, HeaderName, ORIGIN,
        PROXY_AUTHORIZATION, REFERER,
    },
};

use super::{
    door::{self, Rules},
    exchange::{collect, opened, send, strip},
    gate::Gate,
    network::{self, Pool},
    page,
    receipts::Job,
    reply::{self, BadRequest, Body},
    stream::{self, LastWords},
};
use crate::{Error, deadlines::within};

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
    match Box::pin(forward(gate, request, LastWords::Said)).await {
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
    clean(&mut head.headers);
    Ok(Request::from_parts(head, body))
}

/// Leaves what is for the enclave.
pub(super) fn clean(headers: &mut HeaderMap) {
    strip(headers);
    for name in KEPT_HERE {
        headers.remove(name);
    }
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

/// Sends a request that was cleaned, and passes its answer on: a stream as it comes, anything else once it is whole.
pub(super) async fn forward(
    gate: Arc<Gate>,
    mut request: Request<Bytes>,
    last_words: LastWords,
) -> Result<Response<Body>, Error> {
    // A receipt belongs to a connection, and a relay's is shared.
    let job = if gate.is_relayed() {
        None
    } else {
        Job::of(&mut request)?
    };
    // On the heap: whoever waits for this need not be as large.
    let sent = Box::pin(send(&gate, request, job)).await;
    let (mut lease, answer) = sent.map_err(|unsent| unsent.error)?;
    let (mut head, body, events) = opened(&lease, answer);
    // What is refused has no receipt.
    let job = job.filter(|_| head.status.is_success());
    let body = if events {
        stream::body(gate, lease, body, job, last_words)
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
