//! Whether the enclave is trusted now, and the idle connections that rest on it.
//!
//! Trust is a reign: one key, verified again and again. It ends when a verification is refused, cannot be made twice in a row, or
//! finds another key, and at the `until` of the last verdict, whatever became of the next. A connection has the `until` of its own
//! verdict, and no other verdict prolongs it. What was lent under a reign ends with it; the next request begins a new reign, or is
//! refused.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrysalis_attestation::{Time, evidence::claims::Claims};
use chrysalis_settle::Kept;
use chrysalis_wire::api::RETIRED;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::folder::ReceiptFolder;
use crate::{AttestedConnection, Epoch, Error, RelyingParty, Target, term::Term};

/// The most idle connections to keep.
const MAX_IDLE: usize = 32;
/// The most new connections that are verified for one request.
const MAX_FRESH: u32 = 3;
/// The pause before a verification that could not be made is tried once more.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long an enclave may take to begin its next epoch before it is verified again.
const ASKING: Duration = Duration::from_secs(15);

/// The way to the enclave.
pub(super) struct Gate {
    /// Where it answers, at least one place: the next is tried where one cannot be reached.
    targets: Vec<Target>,
    relying_party: RelyingParty,
    receipts: Option<ReceiptFolder>,
    reign: Mutex<Result<Reign, Option<Error>>>,
}

/// One key's time of trust.
struct Reign {
    key: Vec<u8>,
    standing: Standing,
    term: Term,
    /// How long the enclave's epoch lasts from the moment of verification, at most, and that moment.
    epoch: (Duration, Instant),
    /// Of the claims that were verified last.
    hpke_key: [u8; 32],
    ended: watch::Sender<Option<Error>>,
    idle: Vec<(AttestedConnection, Instant)>,
}

impl Reign {
    /// What is left of the epoch that was verified last. It had begun by then, whatever the enclave's clock says.
    fn epoch_left(&self) -> Duration {
        let (lasts, since) = self.epoch;
        lasts.saturating_sub(since.elapsed())
    }
}

/// How long the epoch of these claims goes on after `now`: no longer than a whole one, whatever the enclave's clock says.
fn epoch_left(claims: &Claims, now: Time) -> Duration {
    let ends = claims
        .epoch_began
        .saturating_add_unsigned(claims.epoch_seconds);
    let left = u64::try_from(ends.saturating_sub(now.0)).unwrap_or(0);
    Duration::from_secs(left.min(claims.epoch_seconds))
}

/// The state of trust under a reign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) simulated: bool,
    pub(super) verified: Time,
    pub(super) until: Time,
}

/// Counts the new connections verified for one request: otherwise a host that cuts each of them could make a client attest forever.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

/// A verified connection, lent for one request.
pub(super) struct Lease {
    pub(super) connection: AttestedConnection,
    /// Whether it was used before, and so may have closed since.
    pub(super) reused: bool,
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
    pub(super) fn new(
        targets: Vec<Target>,
        relying_party: RelyingParty,
        receipts: Option<ReceiptFolder>,
    ) -> Self {
        Self {
            targets,
            relying_party,
            receipts,
            reign: Mutex::new(Err(None)),
        }
    }

    pub(super) fn target(&self) -> Option<&Target> {
        self.targets.first()
    }

    /// A new connection, verified.
    async fn connect(&self) -> Result<AttestedConnection, Error> {
        let mut outcome = Err(Error::Local("no address".into()));
        for target in &self.targets {
            outcome = AttestedConnection::connect(target, &self.relying_party).await;
            match &outcome {
                Err(Error::Unreachable { .. } | Error::Stalled { .. }) => {}
                _ => break,
            }
        }
        outcome
    }

    /// Whether requests go through a relay.
    pub(super) fn is_relayed(&self) -> bool {
        self.relying_party.relay().is_some()
    }

    /// Whether a receipt is worth asking for: they are kept, or somebody pays.
    pub(super) fn wants_receipts(&self) -> bool {
        self.receipts.is_some() || self.relying_party.payer().is_some()
    }

    /// Keeps a receipt that was accepted. A disk that is full is no reason to hold its answer back.
    pub(super) fn keep(&self, kept: &Kept, epoch: &Epoch) {
        if let Some(folder) = &self.receipts
            && let Err(error) = folder.keep(kept, epoch)
        {
            tracing::warn!(event = "receipt_not_kept", %error);
        }
    }

    /// The enclave's epoch now, as a new connection to it shows.
    pub(super) async fn current_epoch(&self) -> Result<Epoch, Error> {
        let connection = self.connect().await?;
        let epoch = connection.epoch().clone();
        self.admit(connection);
        Ok(epoch)
    }

    /// The current state of trust, or why it ended.
    pub(super) fn standing(&self) -> Result<Standing, Option<Error>> {
        match &*self.lock() {
            Ok(reign) => reign.term.check().map(|()| reign.standing).map_err(Some),
            Err(error) => Err(error.clone()),
        }
    }

    /// Lends an idle connection, or a new one, which is verified first. An error once this request has had its share of new ones.
    pub(super) async fn lend(&self, tries: &mut Tries) -> Result<Lease, Error> {
        if let Some(lease) = self.idle() {
            return Ok(lease);
        }
        if tries.0 == MAX_FRESH {
            return Err(Error::CutOff { tries: tries.0 });
        }
        tries.0 += 1;
        let connection = self.connect().await?;
        Ok(self.fresh(connection))
    }

    /// A connection that was just verified.
    fn fresh(&self, connection: AttestedConnection) -> Lease {
        Lease {
            ended: self.recognise(&connection),
            connection,
            reused: false,
        }
    }

    /// Keeps a verified connection, to lend it later.
    pub(super) fn admit(&self, connection: AttestedConnection) {
        self.give_back(self.fresh(connection));
    }

    /// Takes back a connection whose answer has arrived whole.
    pub(super) fn give_back(&self, lease: Lease) {
        if let Ok(reign) = &mut *self.lock()
            && lease.ended.same_channel(&reign.ended.subscribe())
            && reign.idle.len() < MAX_IDLE
        {
            reign.idle.push((lease.connection, Instant::now()));
        }
    }

    /// Verifies again after each `interval`, or earlier if what the verdict rests on expires or the enclave's epoch has run out: a
    /// later epoch has other evidence, and an enclave that has none has ended.
    pub(super) async fn renew_for_ever(&self, interval: Duration) {
        loop {
            sleep(self.next_renewal(interval)).await;
            if self.lock().is_ok() {
                self.renew().await;
            }
        }
    }

    pub(super) async fn renew(&self) {
        let mut outcome = self.connect().await;
        // The network may fail once. A refusal, after examining the evidence, is final.
        if outcome.as_ref().is_err_and(|error| !error.is_verdict()) {
            sleep(RETRY_AFTER).await;
            outcome = self.connect().await;
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
        match &*self.lock() {
            Ok(reign) => {
                let left = reign.term.left().min(reign.epoch_left());
                interval.min(left.max(Duration::from_secs(1)))
            }
            Err(_) => interval,
        }
    }

    /// Renews the reign of the connection's key, or ends another key's reign and begins its own.
    fn recognise(&self, connection: &AttestedConnection) -> watch::Receiver<Option<Error>> {
        let trusted = connection.trusted();
        let standing = Standing {
            simulated: trusted.simulated(),
            verified: self.relying_party.now(),
            until: trusted.until(),
        };
        let left = epoch_left(trusted.claims(), standing.verified);
        // The next one begins when everything has been asked, which takes a while.
        let epoch = (left.saturating_add(ASKING), Instant::now());
        let mut current = self.lock();
        if let Ok(reign) = &mut *current {
            if reign.key == trusted.tls_key() {
                reign.standing = standing;
                reign.term = connection.term().clone();
                reign.epoch = epoch;
                reign.hpke_key = trusted.claims().hpke_key;
                return reign.ended.subscribe();
            }
            reign.ended.send_replace(Some(Error::KeyChanged));
        }
        let (ended, receiver) = watch::channel(None);
        let key = trusted.tls_key().to_vec();
        *current = Ok(Reign {
            key,
            standing,
            term: connection.term().clone(),
            epoch,
            hpke_key: trusted.claims().hpke_key,
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

    /// A connection that was used before, and that the enclave will not close yet.
    fn idle(&self) -> Option<Lease> {
        let mut current = self.lock();
        let reign = current.as_mut().ok()?;
        while let Some((connection, since)) = reign.idle.pop() {
            // Through a relay, nothing ends a connection but the keys that its requests are for: they change each epoch.
            let is_kept = if connection.retires() {
                since.elapsed() < RETIRED
            } else {
                connection.trusted().claims().hpke_key == reign.hpke_key
            };
            if is_kept && connection.is_ready() {
                return Some(Lease {
                    connection,
                    reused: true,
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

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_attestation::evidence::claims::PROFILE;

    #[test]
    fn an_epoch_is_never_longer_than_it_says_whatever_the_enclaves_clock() {
        let left = |began: i64, now: i64| {
            let claims = Claims {
                profile: PROFILE.to_owned(),
                release: String::new(),
                configuration: [0; 32],
                engines: Vec::new(),
                models: Vec::new(),
                known_answer: true,
                receipt_key: [0; 32],
                hpke_key: [0; 32],
                epoch: 1,
                epoch_began: began,
                epoch_seconds: 600,
            };
            epoch_left(&claims, Time(now)).as_secs()
        };
        assert_eq!(left(1000, 1000), 600);
        assert_eq!(left(1000, 1599), 1);
        assert_eq!(left(1000, 1601), 0);
        assert_eq!(left(9000, 1000), 600, "a clock ahead");
        assert_eq!(left(i64::MIN, i64::MAX), 0);
        assert_eq!(left(i64::MAX, i64::MIN), 600);
    }
}
