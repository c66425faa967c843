//! Whether the enclave is trusted now, and the idle connections that rest on it.
//!
//! Trust is a reign: one key, verified again and again. It ends when a verification is refused, fails twice to come
//! about, or finds another key. What was lent under a reign ends with it; the next request begins a new one, or is refused.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrysalis_attestation::Time;
use chrysalis_wire::api::RETIRED;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{AttestedConnection, Error, RelyingParty, Target};

/// The most idle connections kept.
const MAX_IDLE: usize = 4;
/// The pause before a verification that did not come about is tried once more.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The way to the enclave.
pub(super) struct Gate {
    target: Target,
    relying_party: RelyingParty,
    reign: Mutex<Result<Reign, Option<Error>>>,
}

/// One key's time of trust.
struct Reign {
    key: Vec<u8>,
    standing: Standing,
    ended: watch::Sender<Option<Error>>,
    idle: Vec<(AttestedConnection, Instant)>,
}

/// How things stand under a reign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) simulated: bool,
    pub(super) verified: Time,
    pub(super) until: Time,
}

/// A verified connection, lent for one request.
pub(super) struct Lease {
    pub(super) connection: AttestedConnection,
    ended: watch::Receiver<Option<Error>>,
}

impl Lease {
    /// Waits until the trust under which this was lent ends, and says why.
    pub(super) fn end_of_trust(&self) -> impl Future<Output = Error> + Send + 'static {
        let mut ended = self.ended.clone();
        async move {
            loop {
                if let Some(error) = ended.borrow_and_update().clone() {
                    return error;
                }
                if ended.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Gate {
    pub(super) fn new(target: Target, relying_party: RelyingParty) -> Self {
        Self {
            target,
            relying_party,
            reign: Mutex::new(Err(None)),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// How things stand, or why trust ended.
    pub(super) fn standing(&self) -> Result<Standing, Option<Error>> {
        match &*self.lock() {
            Ok(reign) => Ok(reign.standing),
            Err(error) => Err(error.clone()),
        }
    }

    /// A new connection, which is verified first.
    pub(super) async fn connect(&self) -> Result<Lease, Error> {
        let connection = AttestedConnection::connect(&self.target, &self.relying_party).await?;
        let ended = self.recognise(&connection);
        Ok(Lease { connection, ended })
    }

    /// Takes a verified connection in, to be lent later.
    pub(super) fn admit(&self, connection: AttestedConnection) {
        let ended = self.recognise(&connection);
        self.give_back(Lease { connection, ended });
    }

    /// Takes back a connection whose answer has come whole.
    pub(super) fn give_back(&self, lease: Lease) {
        if let Ok(reign) = &mut *self.lock()
            && lease.ended.same_channel(&reign.ended.subscribe())
            && reign.idle.len() < MAX_IDLE
        {
            reign.idle.push((lease.connection, Instant::now()));
        }
    }

    /// Verifies again after each `interval`, or earlier when what the verdict rests on runs out.
    pub(super) async fn renew_for_ever(&self, interval: Duration) {
        loop {
            sleep(self.next_renewal(interval)).await;
            if self.standing().is_ok() {
                self.renew().await;
            }
        }
    }

    async fn renew(&self) {
        let connect = || AttestedConnection::connect(&self.target, &self.relying_party);
        let mut outcome = connect().await;
        // The network may fail once. Evidence that was examined and refused is refused.
        if outcome.as_ref().is_err_and(|error| !error.is_verdict()) {
            sleep(RETRY_AFTER).await;
            outcome = connect().await;
        }
        match outcome {
            Ok(connection) => {
                tracing::info!(event = "verified_again");
                self.admit(connection);
            }
            Err(error) => {
                tracing::warn!(event = "trust_ended", code = error.code());
                self.end(error);
            }
        }
    }

    fn next_renewal(&self, interval: Duration) -> Duration {
        let Ok(standing) = self.standing() else {
            return interval;
        };
        let left = standing.until.0.saturating_sub(self.relying_party.now().0);
        interval.min(Duration::from_secs(u64::try_from(left).unwrap_or(0).max(1)))
    }

    /// Renews the reign of the connection's key, or ends another's and begins its own.
    fn recognise(&self, connection: &AttestedConnection) -> watch::Receiver<Option<Error>> {
        let trusted = connection.trusted();
        let standing = Standing {
            simulated: trusted.simulated(),
            verified: self.relying_party.now(),
            until: trusted.until(),
        };
        let mut current = self.lock();
        if let Ok(reign) = &mut *current {
            if reign.key == trusted.tls_key() {
                reign.standing = standing;
                return reign.ended.subscribe();
            }
            reign.ended.send_replace(Some(Error::KeyChanged));
        }
        let (ended, receiver) = watch::channel(None);
        let key = trusted.tls_key().to_vec();
        *current = Ok(Reign {
            key,
            standing,
            ended,
            idle: Vec::new(),
        });
        receiver
    }

    fn end(&self, error: Error) {
        let mut current = self.lock();
        if let Ok(reign) = &*current {
            reign.ended.send_replace(Some(error.clone()));
        }
        *current = Err(Some(error));
    }

    /// A connection that was used before, and that the enclave does not close yet.
    pub(super) fn idle(&self) -> Option<Lease> {
        let mut current = self.lock();
        let reign = current.as_mut().ok()?;
        while let Some((connection, since)) = reign.idle.pop() {
            let good = self.relying_party.now() <= connection.trusted().until();
            if good && since.elapsed() < RETIRED && connection.is_ready() {
                return Some(Lease {
                    connection,
                    ended: reign.ended.subscribe(),
                });
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Result<Reign, Option<Error>>> {
        // No holder of this lock can leave the reign half-changed.
        self.reign.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
