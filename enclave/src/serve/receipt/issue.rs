//! Who signs receipts, and the one that a job will get.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use chrysalis_attestation::{encoding::digest::sha256, evidence::Evidence};
use chrysalis_settle::{
    Attested, Credential, Done, End, JobNumber, JobRepeated, NotAdmitted, OpenTab, Receipt,
    Running, Sign, TabId, Tabs, TabsFull, money,
};

use super::{bill::Bill, used::Used};
use crate::{
    clock,
    epoch::{Epoch, Epochs},
    keys::Keys,
};

/// The most tabs: those of all connections, of gone ones whose last receipt was not delivered, and all that were paid on.
const MAX_TABS: usize = 16_384;

/// Signs receipts, and keeps every tab.
pub(in crate::serve) struct Issuer {
    keys: Keys,
    epochs: Epochs,
    /// What receipts name of the last epoch that was looked at.
    named: Mutex<Option<Attested>>,
    pub(in crate::serve) tabs: Tabs,
    /// Paid tabs that owe more than the host has noted, and the number of their last job.
    owing: Mutex<BTreeMap<TabId, u64>>,
    since: Instant,
}

/// The key in [`Keys`] signs for as long as it has not been overwritten.
impl Sign for Issuer {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.keys.sign_receipt(digest).ok()
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
            owing: Mutex::default(),
            since: Instant::now(),
        })
    }

    /// The key that signs.
    pub(in crate::serve) fn key(&self) -> [u8; 32] {
        self.keys.receipt_key()
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

    /// A job on a paid tab, whose request's body has this SHA-256. The credential was verified.
    pub(super) fn admit(
        self: &Arc<Self>,
        credential: &Credential,
        job: JobNumber,
        bound: u64,
        ceiling: u64,
        request: Option<[u8; 32]>,
        bill: impl FnOnce() -> Bill,
    ) -> Result<Issue, NotAdmitted> {
        let now = self.now();
        let (tab, running) = self.tabs.admit(credential, job, bound, ceiling, now)?;
        Ok(Issue {
            tab,
            issuer: Arc::clone(self),
            running: Some(running),
            began: clock::now().0,
            request,
            bill: Some(bill()),
        })
    }

    /// Paid tabs that owe more than the host has noted, and the number of their last job.
    pub(in crate::serve) fn owing(&self) -> MutexGuard<'_, BTreeMap<TabId, u64>> {
        self.owing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds of a clock that never goes back.
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
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
    pub(in crate::serve) fn begin(&self, job: JobNumber) -> Result<Issue, JobRepeated> {
        Ok(Issue {
            running: Some(self.tab.begin(job)?),
            tab: Arc::clone(&self.tab),
            issuer: Arc::clone(&self.issuer),
            began: clock::now().0,
            request: None,
            bill: None,
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

/// A job on its way to its receipt. Dropped before, a paid one was given up by its client.
pub(in crate::serve) struct Issue {
    tab: Arc<OpenTab>,
    issuer: Arc<Issuer>,
    running: Option<Running>,
    began: i64,
    /// SHA-256 of a paid request's body.
    request: Option<[u8; 32]>,
    /// None without payment.
    bill: Option<Bill>,
}

impl Issue {
    /// The first piece was handed over: from here on the job owes something.
    pub(in crate::serve) fn handed_over(&mut self) {
        if let Some(bill) = &mut self.bill {
            bill.handed_over();
        }
    }

    /// The job was refused, or failed before anything was handed over: nothing is owed for it.
    pub(in crate::serve) fn refused(mut self, failed: bool) {
        if let Some(running) = self.running.take() {
            self.tab.fail(running);
        }
        if let Some(bill) = self.bill.take()
            && failed
        {
            bill.failed();
        }
    }

    /// The receipt. `answer` is SHA-256 of what was handed over. None where the key is gone, and then so is all trust. A paid job that was
    /// given up before it owed anything has one as well, for whoever asks for the tab.
    pub(in crate::serve) fn receipt(
        mut self,
        used: &Used,
        answer: [u8; 32],
        end: End,
    ) -> Option<Receipt> {
        let (units, quote, amount) = match &self.bill {
            None => (used.units(), money::unpaid_quote(), 0),
            Some(bill) => {
                let (units, amount) = bill.of(used, end)?;
                (units, bill.quote(), amount)
            }
        };
        let done = Done {
            attested: &self.issuer.attested()?,
            units,
            quote,
            amount,
            request: used.request?,
            answer,
            end,
            began: self.began,
            ended: clock::now().0,
        };
        let receipt = self.tab.end(self.running.take()?, &done, &*self.issuer);
        self.settle(used, end, receipt.is_ok().then_some(amount));
        receipt
            .inspect_err(|why| tracing::warn!("no receipt: {why}"))
            .ok()
    }

    /// What follows of a paid job's end. `amount` is none where there is no receipt.
    fn settle(&mut self, used: &Used, end: End, amount: Option<u64>) {
        let Some(bill) = self.bill.take() else {
            return;
        };
        if let Some(debt) = self.tab.debt()
            && amount.is_some_and(|amount| amount > 0)
        {
            self.issuer.owing().insert(self.tab.id(), debt.seq);
        }
        if end == End::Failed && used.provoked && bill.is_handed_over() {
            self.tab.blame(self.issuer.now());
        }
        match amount {
            Some(amount) if end != End::Failed => bill.owes(amount),
            _ => bill.failed(),
        }
    }
}

impl Drop for Issue {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        match self.bill.take() {
            None => self.tab.fail(running),
            Some(bill) => self.given_up(running, bill),
        }
    }
}

impl Issue {
    /// A paid job was given up before it owed anything. A receipt of nothing continues the chain, so that its client knows.
    fn given_up(&self, running: Running, bill: Bill) {
        let now = self.issuer.now();
        match self.issuer.attested().zip(self.request) {
            None => self.tab.give_up(running, now),
            Some((attested, request)) => {
                let done = Done {
                    attested: &attested,
                    units: [0; 4],
                    quote: bill.quote(),
                    amount: 0,
                    request,
                    answer: sha256(&[]),
                    end: End::Cancelled,
                    began: self.began,
                    ended: clock::now().0,
                };
                let _ = self.tab.end(running, &done, &*self.issuer);
                self.tab.blame(now);
            }
        }
        bill.given_up();
    }
}
