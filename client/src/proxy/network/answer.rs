//! The path of one request through a network: up to three tries, one after the other or, where hedged, two at once; the first piece wins.

use std::sync::Arc;

use bytes::Bytes;
use chrysalis_network::{Outcome, ProviderId};
use chrysalis_wire::api::{MODELS, is_job};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use hyper::{Method, Request, Response, StatusCode, header::HeaderValue};
use tokio::time::{Duration, Instant, sleep_until};

use super::{
    attempt::{Begins, Begun, Broken, Why, attempt},
    pool::{Class, Pool},
    provider::Provider,
};
use crate::{
    Error,
    pay::model_of,
    proxy::{
        reply::{self, Body},
        stream,
    },
};

/// The most tries of one request.
const MAX_ATTEMPTS: u32 = 3;
/// A provider is never thought slow before this.
const LEAST_HEDGE: Duration = Duration::from_secs(1);
/// How long silence lasts before the providers that are asked are verified again: one that is dead is found out so.
const PROBE: Duration = Duration::from_secs(20);

/// Answers one request that came through the door.
pub(in crate::proxy) async fn answer(pool: &Arc<Pool>, request: Request<Bytes>) -> Response<Body> {
    let path = request.uri().path();
    if request.method() == Method::GET && path.trim_end_matches('/') == MODELS {
        return pool.models();
    }
    if request.method() != Method::POST || !is_job(path) {
        return reply::not_taken(
            StatusCode::NOT_FOUND,
            "not_found",
            "a network answers what asks a model, and GET /v1/models; for the rest of the API name one enclave: `chrysalis proxy URL`",
        );
    }
    let model = model_of(&request);
    let Some(class) = pool.class(model.as_deref()) else {
        return reply::not_taken(
            StatusCode::NOT_FOUND,
            "model_not_found",
            "the request's `model` is none of those that this proxy was started with; GET /v1/models lists them",
        );
    };
    let mut call = Call::new(pool, class, request);
    let outcome = Box::pin(call.run()).await;
    let mut response = match outcome {
        Ok(begun) => begun.response(),
        Err(Failure { provider, why }) => {
            let mut response = match why {
                Why::Error(error) => {
                    tracing::warn!(event = "no_answer", code = error.code());
                    reply::no_answer(&error)
                }
                Why::Said(head, body) => Response::from_parts(*head, reply::whole(body)),
            };
            if let Some(id) = provider {
                put(&mut response, reply::PROVIDER, &id);
            }
            response
        }
    };
    put(&mut response, reply::ATTEMPTS, &call.attempts);
    response
}

fn put(response: &mut Response<Body>, name: hyper::header::HeaderName, value: &dyn ToString) {
    if let Ok(value) = HeaderValue::try_from(value.to_string()) {
        response.headers_mut().insert(name, value);
    }
}

/// Why a request has no answer, and who was asked last.
struct Failure {
    provider: Option<ProviderId>,
    why: Why,
}

/// One request.
struct Call<'a> {
    pool: &'a Arc<Pool>,
    class: &'a Class,
    streams: bool,
    request: Request<Bytes>,
    deadline: Instant,
    /// Who is not asked again.
    tried: Vec<ProviderId>,
    attempts: u32,
    /// How many of them count as none.
    free: u32,
    /// Whether one was asked a second time, by its new price.
    requoted: bool,
    last: Option<Failure>,
}

type Running = FuturesUnordered<BoxFuture<'static, Result<Begun, Broken>>>;

impl<'a> Call<'a> {
    fn new(pool: &'a Arc<Pool>, class: &'a Class, request: Request<Bytes>) -> Self {
        Self {
            pool,
            class,
            streams: is_stream(&request),
            request,
            deadline: Instant::now() + pool.patience(),
            tried: Vec::new(),
            attempts: 0,
            free: 0,
            requoted: false,
            last: None,
        }
    }

    async fn run(&mut self) -> Result<Begun, Failure> {
        let mut running = Running::new();
        let mut asked: Vec<Arc<Provider>> = Vec::new();
        let mut hedge_at = None;
        let mut probe_at = Instant::now() + PROBE;
        loop {
            if running.is_empty() {
                asked.clear();
                let provider = self.next().await?;
                hedge_at = self.pool.hedge_after(&provider, LEAST_HEDGE);
                hedge_at = hedge_at.filter(|_| self.streams);
                asked.push(Arc::clone(&provider));
                running.push(self.begin(provider));
            }
            let hedged = hedge_at.unwrap_or(self.deadline);
            tokio::select! {
                biased;
                Some(outcome) = running.next() => match outcome {
                    Ok(begun) => return Ok(self.won(begun)),
                    Err(broken) => self.lost(broken, running.is_empty())?,
                },
                () = sleep_until(self.deadline) => return Err(self.too_late()),
                () = sleep_until(hedged), if hedge_at.is_some() => {
                    hedge_at = None;
                    if self.counted() < MAX_ATTEMPTS
                        && let Ok(second) = self.pool.pick(self.class, &self.tried)
                    {
                        tracing::info!(event = "hedged", provider = %second.id);
                        asked.push(Arc::clone(&second));
                        running.push(self.begin(second));
                    }
                }
                () = sleep_until(probe_at) => {
                    probe_at = Instant::now() + PROBE;
                    for provider in &asked {
                        let gate = Arc::clone(&provider.gate);
                        tokio::spawn(async move { gate.renew().await });
                    }
                }
            }
        }
    }

    /// Who is asked next.
    async fn next(&mut self) -> Result<Arc<Provider>, Failure> {
        if self.counted() < MAX_ATTEMPTS {
            match self
                .pool
                .pick_in_time(self.class, &self.tried, self.deadline)
                .await
            {
                Ok(provider) => return Ok(provider),
                Err(error) => {
                    let none = Failure {
                        provider: None,
                        why: Why::Error(error),
                    };
                    return Err(self.last.take().unwrap_or(none));
                }
            }
        }
        Err(self.last.take().unwrap_or_else(|| self.too_late()))
    }

    fn begin(&mut self, provider: Arc<Provider>) -> BoxFuture<'static, Result<Begun, Broken>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let share = left / MAX_ATTEMPTS.saturating_sub(self.counted()).max(1);
        self.attempts = self.attempts.saturating_add(1);
        self.tried.push(provider.id);
        let teller = self.pool.teller(&provider);
        let request = self.request.clone();
        let patience = self.streams.then_some(share);
        Box::pin(attempt(provider, request, patience, teller))
    }

    /// Tries that count.
    fn counted(&self) -> u32 {
        self.attempts.saturating_sub(self.free)
    }

    fn won(&self, begun: Begun) -> Begun {
        let first_ms = match &begun.body {
            Begins::Whole(..) => None,
            Begins::Stream(_, _, took) => Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        };
        self.pool
            .note(begun.provider.id, Outcome::Answered { first_ms });
        begun
    }

    /// An error once this is what the program has to read.
    fn lost(&mut self, broken: Broken, alone: bool) -> Result<(), Failure> {
        let Broken {
            provider,
            why,
            meaning,
        } = broken;
        let code = match &why {
            Why::Error(error) => error.code(),
            Why::Said(..) => "said_no",
        };
        tracing::warn!(event = "attempt_failed", provider = %provider.id, code, again = meaning.again);
        if let Some(outcome) = meaning.note {
            self.pool.note_failure(provider.id, outcome, code);
        }
        if meaning.low {
            self.pool.is_low(&provider.payee);
        }
        if meaning.free {
            // It is not asked again, so there are as many of these as are listed at most, and the deadline bounds them.
            self.free = self.free.saturating_add(1);
        }
        // Once: what nobody is to blame for is not a way to use all tries up.
        if meaning.same && !self.requoted {
            self.requoted = true;
            self.tried.retain(|id| *id != provider.id);
        }
        let failure = Failure {
            provider: Some(provider.id),
            why,
        };
        if !meaning.again && alone {
            return Err(failure);
        }
        if !meaning.again {
            // Another runs, and may still answer; if not, nothing more is tried.
            self.free = 0;
            self.attempts = self.attempts.max(MAX_ATTEMPTS);
        }
        self.last = Some(failure);
        Ok(())
    }

    fn too_late(&self) -> Failure {
        Failure {
            provider: None,
            why: Why::Error(Error::Stalled {
                what: "answer from any provider",
                after: self.pool.patience(),
            }),
        }
    }
}

/// Whether the request wants a stream: only there is a first piece seen before the whole.
fn is_stream(request: &Request<Bytes>) -> bool {
    let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap_or_default();
    body["stream"] == true
}

impl Begun {
    fn response(self) -> Response<Body> {
        let (body, spent) = match self.body {
            Begins::Whole(whole, spent) => (reply::whole(whole), Some(spent.unwrap_or(0))),
            Begins::Stream(first, rest, _) => (stream::body_from(first, rest), None),
        };
        let mut response = Response::from_parts(self.head, body);
        put(&mut response, reply::PROVIDER, &self.provider.id);
        put(&mut response, reply::PRICE, &self.price);
        if let Some(spent) = spent {
            put(&mut response, reply::SPENT, &spent);
        }
        response
    }
}
