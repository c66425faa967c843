//! An enclave that Python programs ask.

use std::{
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chrysalis_attestation::{Collateral, Time, Verdict, evidence::Evidence, policy::Policy};
use chrysalis_client::{
    Ask, Bring, Deadlines, Dial, Relay, RelyingParty, Socks, Target, proxy::Direct,
};
use chrysalis_collateral::{Mirrors, Responder, Store, System};
use chrysalis_verifier::json;
use hyper::{Method, Request};
use pyo3::prelude::*;
use tokio::{sync::Semaphore, task::AbortHandle};

use crate::{
    answer::{Answer, late, limit},
    failure::Failure,
    runtime,
    task::{Outcome, Task},
};

/// How long is for ever: waits have the limits that each request names.
const UNLIMITED: Duration = Duration::from_hours(365 * 24);

/// An enclave and the verified connections to it. Nothing is sent before it has been verified.
#[pyclass(frozen, module = "chrysalis._native")]
pub(crate) struct Enclave {
    target: Target,
    relying_party: RelyingParty,
    connections: usize,
    reverify: Duration,
    open: Mutex<Option<Open>>,
}

/// What is open, and in which process.
struct Open {
    process: u32,
    direct: Direct,
    places: Arc<Semaphore>,
    renewing: AbortHandle,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

#[pymethods]
impl Enclave {
    /// `url`: https://HOST:PORT. `policy`: TOML. `collateral`: a folder that `chrysalis fetch` filled. `relay`: a relay's address.
    /// `socks`: a proxy's address. `at`: Unix seconds, in place of the clock. `evidence`, `reverify`: seconds.
    #[new]
    #[pyo3(signature = (url, policy, *, collateral=None, relay=None, socks=None, at=None, connections=100, evidence=60.0, reverify=300.0))]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a name that Python gives"
    )]
    fn new(
        python: Python<'_>,
        url: &str,
        policy: &str,
        collateral: Option<PathBuf>,
        relay: Option<&str>,
        socks: Option<&str>,
        at: Option<i64>,
        connections: usize,
        evidence: f64,
        reverify: f64,
    ) -> PyResult<Self> {
        let made = || -> Result<Self, String> {
            let target: Target = url.parse().map_err(told)?;
            let policy = Policy::parse(policy)
                .map_err(|error| format!("the policy cannot be used: {error}"))?;
            let seconds = |name: &str, value: f64| {
                Duration::try_from_secs_f64(value)
                    .ok()
                    .filter(|it| *it > Duration::ZERO)
                    .ok_or_else(|| format!("`{name}` is a number of seconds over 0, not {value}"))
            };
            if !(1..=Semaphore::MAX_PERMITS).contains(&connections) {
                return Err("`connections` is at least 1".to_owned());
            }
            let evidence = seconds("evidence", evidence)?;
            let deadlines = Deadlines {
                evidence,
                first_byte: UNLIMITED,
                idle: UNLIMITED,
                ..Deadlines::default()
            };
            let mut dial = Dial::default();
            if let Some(socks) = socks {
                dial = dial.via(socks.parse::<Socks>().map_err(told)?);
            }
            let responder = Responder::new(
                Mirrors::default(),
                Box::new(System::new()),
                Responder::LIMITS,
            );
            let ask: Ask = Arc::new(move |about: &[_]| responder.ask(about).map_err(told));
            let mut relying_party = RelyingParty::new(policy)
                .remembering()
                .with_deadlines(deadlines)
                .dialing(dial)
                .asking(ask);
            if let Some(folder) = collateral {
                relying_party = relying_party.bringing(bring(&folder)?);
            }
            if let Some(relay) = relay {
                relying_party = relying_party.through(relay.parse::<Relay>().map_err(told)?);
            }
            if let Some(at) = at {
                relying_party = relying_party.with_clock(Arc::new(move || Time(at)));
            }
            Ok(Self {
                target,
                relying_party,
                connections,
                reverify: seconds("reverify", reverify)?,
                open: Mutex::new(None),
            })
        };
        made().map_err(|why| Failure::Unusable(why).raised(python))
    }

    /// Has a verified connection ready. The verdict on the enclave, JSON. `connect`: seconds to wait at most.
    #[pyo3(signature = (connect=None))]
    fn ready(&self, python: Python<'_>, connect: Option<f64>) -> PyResult<Task> {
        let begin = || {
            let (direct, _) = self.open()?;
            Task::begin(async move {
                let verdict = async {
                    let verdict = |it: &chrysalis_client::AttestedConnection| {
                        json(&Verdict::from(it.trusted())).to_string()
                    };
                    Ok(direct.ready(verdict).await?)
                };
                let json = late(limit(connect), "connect", verdict).await?;
                let told: Outcome =
                    Box::new(move |python| Ok(json.into_pyobject(python)?.into_any().unbind()));
                Ok(told)
            })
        };
        begin().map_err(|failure: Failure| failure.raised(python))
    }

    /// Sends a request once the enclave is verified. The head of its answer. `connect`, `read`, `pool`: seconds to wait at most for a
    /// verified connection, for the head, and for a place among the connections.
    #[pyo3(signature = (method, path, headers, body, *, connect=None, read=None, pool=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a name that Python gives"
    )]
    fn send(
        &self,
        python: Python<'_>,
        method: &str,
        path: &str,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
        body: Vec<u8>,
        connect: Option<f64>,
        read: Option<f64>,
        pool: Option<f64>,
    ) -> PyResult<Task> {
        let begin = || {
            let request = request(method, path, headers, body).map_err(Failure::Unusable)?;
            let (direct, places) = self.open()?;
            let (connect, read, pool) = (limit(connect), limit(read), limit(pool));
            Task::begin(async move {
                let place = async { places.acquire_owned().await.map_err(|_| Failure::Cancelled) };
                let place = late(pool, "pool", place).await?;
                let ready = async { Ok(direct.ready(|_| ()).await?) };
                late(connect, "connect", ready).await?;
                let sending = async { Ok(Box::pin(direct.send(request)).await?) };
                let answer = late(read, "read", sending).await?;
                let answer = Answer::new(answer, place);
                let told: Outcome = Box::new(move |python| Ok(Py::new(python, answer)?.into_any()));
                Ok(told)
            })
        };
        begin().map_err(|failure: Failure| failure.raised(python))
    }

    /// Closes idle connections, and verifies no more. What is under way goes on; a later request opens it again.
    fn close(&self) {
        drop(self.lock().take());
    }
}

impl Enclave {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        // No holder of this lock can leave it half-changed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connections of this process: those of its parent, before a fork, are not its own.
    fn open(&self) -> Result<(Direct, Arc<Semaphore>), Failure> {
        let mut open = self.lock();
        if open.as_ref().is_some_and(|it| it.process != process::id()) {
            // Dropping them would say goodbye in the parent's name.
            std::mem::forget(open.take());
        }
        if let Some(Open { direct, places, .. }) = &*open {
            return Ok((direct.clone(), Arc::clone(places)));
        }
        let direct = Direct::new(self.target.clone(), self.relying_party.clone());
        let places = Arc::new(Semaphore::new(self.connections));
        let (renewed, interval) = (direct.clone(), self.reverify);
        let renewing = runtime::current()?.spawn(async move { renewed.renew(interval).await });
        *open = Some(Open {
            process: process::id(),
            direct: direct.clone(),
            places: Arc::clone(&places),
            renewing: renewing.abort_handle(),
        });
        Ok((direct, places))
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What a store of `chrysalis fetch` has for each piece of evidence.
fn bring(folder: &Path) -> Result<Bring, String> {
    let store = Store::open(folder).map_err(|error| format!("{error}; {}", error.hint()))?;
    // Where it has nothing, the verdict says what is missing.
    Ok(Arc::new(move |evidence: &Evidence| {
        store
            .for_bundle(evidence)
            .unwrap_or_else(|_| Collateral::default())
    }))
}

fn request(
    method: &str,
    path: &str,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
) -> Result<Request<Bytes>, String> {
    let method = Method::from_bytes(method.as_bytes()).map_err(told)?;
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Bytes::from(body)).map_err(told)
}
