//! One try at one provider, up to the first piece of its answer: until then the program has seen nothing, and another may be tried.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Request, http::response::Parts};
use tokio::time::Instant;

use super::{
    meaning::{self, Meaning},
    provider::Provider,
};
use crate::{
    Error,
    deadlines::within,
    events,
    proxy::{
        exchange::{collect, opened, send},
        receipts::{Job, is_failure},
        stream::{State, Streaming, Teller},
    },
};

/// What is waited for.
const FIRST: &str = "first piece of the answer";

/// An answer that has begun.
pub(super) struct Begun {
    pub(super) provider: Arc<Provider>,
    pub(super) head: Parts,
    pub(super) body: Begins,
    /// Nano for a million units.
    pub(super) price: u64,
}

/// How.
pub(super) enum Begins {
    /// It is here, and costs so many nano; `None`: it has no receipt.
    Whole(Bytes, Option<u64>),
    /// It streams, and its first piece took so long.
    Stream(Bytes, State, Duration),
}

/// There is no answer.
pub(super) struct Broken {
    pub(super) provider: Arc<Provider>,
    pub(super) why: Why,
    pub(super) meaning: Meaning,
}

/// Why not.
pub(super) enum Why {
    Error(Error),
    /// The enclave said so.
    Said(Box<Parts>, Bytes),
}

/// Asks. `patience` is for the first piece of a stream; `None` for a whole answer, which begins when it is finished.
pub(super) async fn attempt(
    provider: Arc<Provider>,
    request: Request<Bytes>,
    patience: Option<Duration>,
    teller: Teller,
) -> Result<Begun, Broken> {
    let outcome = Box::pin(ask(&provider, request, patience, teller)).await;
    outcome.map_err(|(why, meaning)| Broken {
        provider,
        why,
        meaning,
    })
}

type Failure = (Why, Meaning);

fn failed(sent: bool) -> impl Fn(Error) -> Failure {
    move |error| {
        let meaning = meaning::of_error(&error, sent);
        (Why::Error(error), meaning)
    }
}

async fn ask(
    provider: &Arc<Provider>,
    mut request: Request<Bytes>,
    patience: Option<Duration>,
    teller: Teller,
) -> Result<Begun, Failure> {
    let began = Instant::now();
    let gate = &provider.gate;
    let job = Job::of(&mut request).map_err(failed(false))?;
    let patience = patience.unwrap_or(Duration::MAX);
    let sent = within(patience, FIRST, Box::pin(send(gate, request, job))).await;
    let sent = sent.map_err(failed(true))?;
    let (mut lease, answer) = sent.map_err(|unsent| failed(unsent.sent)(unsent.error))?;
    let price = lease.connection.price().unwrap_or(0);
    let (mut head, body, events) = opened(&lease, answer);
    let job = job.filter(|_| head.status.is_success());
    let body = if events {
        let streaming = Streaming::new(Arc::clone(gate), lease, body, job, Some(teller));
        let left = patience.saturating_sub(began.elapsed());
        let first = within(left, FIRST, Box::pin(streaming.first())).await;
        let (first, rest) = first.and_then(|it| it).map_err(failed(true))?;
        let failure = Some(&first).filter(|first| is_failure(first));
        let meaning = failure.and_then(|it| events::data(it).find_map(meaning::of_event));
        if let Some(meaning) = meaning {
            return Err((Why::Said(Box::new(head), first), meaning));
        }
        Begins::Stream(first, rest, began.elapsed())
    } else {
        let whole = collect(&lease, body).await.map_err(failed(true))?;
        if !head.status.is_success() {
            gate.give_back(lease);
            let meaning = meaning::of_answer(head.status, &whole);
            return Err((Why::Said(Box::new(head), whole), meaning));
        }
        let cost = match job {
            None => None,
            Some(job) => {
                let checked = job.whole(gate, &mut lease, &mut head.headers, &whole).await;
                Some(checked.map_err(failed(true))?)
            }
        };
        gate.give_back(lease);
        Begins::Whole(whole, cost)
    };
    Ok(Begun {
        provider: Arc::clone(provider),
        head,
        body,
        price,
    })
}
