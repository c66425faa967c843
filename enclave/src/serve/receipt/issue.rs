//! Who signs receipts, and the one that a job will get.

use std::sync::{Arc, Mutex, PoisonError};

use chrysalis_attestation::evidence::Evidence;
use chrysalis_settle::{
    Attested, Done, End, JobNumber, JobRepeated, OpenTab, Receipt, Running, Sign, TabId, Tabs,
    TabsFull, money,
};

use super::meter::Meter;
use crate::{
    clock,
    epoch::{Epoch, Epochs},
    keys::Keys,
};

/// The most tabs: those of all connections, and of gone ones whose last receipt was not delivered.
const MAX_TABS: usize = 4096;

/// Signs receipts, and keeps every tab.
pub(in crate::serve) struct Issuer {
    keys: Keys,
    epochs: Epochs,
    /// What receipts name of the last epoch that was looked at.
    named: Mutex<Option<Attested>>,
    tabs: Tabs,
}

/// The key in [`Keys`] signs for as long as it has not been overwritten.
struct Signing<'a>(&'a Keys);

impl Sign for Signing<'_> {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign_receipt(digest).ok()
    }
}

impl Issuer {
    /// Signs with these keys, in the name of the current epoch.
    pub(in crate::serve) fn new(keys: Keys, epochs: Epochs) -> Arc<Self> {
        Arc::new(Self {
            tabs: Tabs::new(keys.receipt_key(), MAX_TABS),
            keys,
            epochs,
            named: Mutex::default(),
        })
    }

    /// What receipts name of the current epoch. Its bundle is hashed once.
    fn attested(&self) -> Option<Attested> {
        let epoch = self.epochs.current();
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.is_none_or(|named| named.epoch != epoch.claims.epoch) {
            *named = attested(&epoch);
        }
        *named
    }

    /// The tab of a connection, which leaves it when this is dropped.
    pub(in crate::serve) fn seat(self: &Arc<Self>, exporter: &[u8; 32]) -> Result<Seat, TabsFull> {
        Ok(Seat {
            tab: self.tabs.open(TabId::unpaid(exporter))?,
            issuer: Arc::clone(self),
        })
    }

    /// The tab of the connection with this exporter.
    pub(super) fn tab(&self, exporter: &[u8; 32]) -> Option<Arc<OpenTab>> {
        self.tabs.find(&TabId::unpaid(exporter))
    }
}

/// None where this enclave's own bundle cannot be read, which no epoch's is.
fn attested(epoch: &Epoch) -> Option<Attested> {
    let evidence = Evidence::decode(&epoch.bundle).ok()?;
    Some(Attested::of(&epoch.claims, &evidence))
}

/// A connection's place at its tab.
pub(in crate::serve) struct Seat {
    tab: Arc<OpenTab>,
    issuer: Arc<Issuer>,
}

impl Seat {
    /// Takes a job's number, once.
    pub(super) fn begin(&self, job: JobNumber, meter: Meter) -> Result<Issue, JobRepeated> {
        Ok(Issue {
            running: self.tab.begin(job)?,
            tab: Arc::clone(&self.tab),
            issuer: Arc::clone(&self.issuer),
            meter,
            began: clock::now().0,
        })
    }
}

impl Drop for Seat {
    /// A receipt that went with an answer need not be kept for anybody.
    fn drop(&mut self) {
        let id = self.tab.id();
        if self.tab.is_owed_a_receipt() {
            self.issuer.tabs.leave(&id);
        } else {
            self.issuer.tabs.forget(&id);
        }
    }
}

/// A job on its way to its receipt.
pub(super) struct Issue {
    tab: Arc<OpenTab>,
    issuer: Arc<Issuer>,
    running: Running,
    pub(super) meter: Meter,
    began: i64,
}

impl Issue {
    /// The receipt. `answer` is SHA-256 of what was handed over. None where the key is gone: then so is all trust.
    pub(super) fn receipt(self, answer: [u8; 32], end: End) -> Option<Receipt> {
        let used = self.meter.used();
        let done = Done {
            attested: &self.issuer.attested()?,
            units: used.units,
            quote: money::unpaid_quote(),
            amount: 0,
            request: used.request?,
            answer,
            end,
            began: self.began,
            ended: clock::now().0,
        };
        let receipt = self
            .tab
            .end(self.running, &done, &Signing(&self.issuer.keys));
        receipt
            .inspect_err(|why| tracing::warn!("no receipt: {why}"))
            .ok()
    }
}
