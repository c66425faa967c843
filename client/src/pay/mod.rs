//! Paying for answers: a lane of a purse, the tabs on it, and caps that follow what is owed (docs/spec/pay.md).
//!
//! HTTP/1.1 answers one request after the other, so each connection has a tab of its own, under a branch that no other connection has at
//! the time: its receipts come in order. A cap covers what is owed on the tab and one job more, and no job may cost more than the payer
//! says. So that is all that an enclave can take without giving: one job for each connection.

mod ask;
mod branches;
mod limit;
mod model;
mod seat;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use chrysalis_settle::{Credential, Sign, TabId};

use self::branches::Branches;
pub(crate) use self::{
    ask::{read, request},
    limit::Limit,
    model::of as model_of,
    seat::{Outstanding, Proof, Seat},
};

/// Money that a purse has locked for one operator, and the key that spends it.
pub struct Lane {
    /// The purse's account in workchain 0.
    pub purse: [u8; 32],
    /// The lane's number.
    pub number: u32,
    /// Ed25519: signs caps. It can spend this lane, for this operator, and nothing else.
    pub key: Box<dyn Sign + Send + Sync>,
}

/// Who pays, and how much at most.
pub struct Payer {
    lane: Lane,
    most: u64,
    /// Nano that all tabs owe, as far as this process has seen.
    owed: AtomicU64,
    branches: Mutex<Branches>,
}

impl Payer {
    /// Pays from this lane, and at most so many nano for one job. Each connection has a branch, from `first` on: processes that pay from one
    /// lane at the same time need ranges of their own, or their receipts get into each other's way.
    pub fn new(lane: Lane, most: u64, first: u16) -> Arc<Self> {
        Arc::new(Self {
            lane,
            most,
            owed: AtomicU64::new(0),
            branches: Mutex::new(Branches::from(first)),
        })
    }

    /// The most nano that one job may cost.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Nano that is owed on the lane, as far as this process has seen.
    pub fn owed(&self) -> u64 {
        self.owed.load(Relaxed)
    }

    /// So much more is owed.
    fn owe(&self, nano: u64) {
        let add = |owed: u64| Some(owed.saturating_add(nano));
        let _ = self.owed.fetch_update(Relaxed, Relaxed, add);
    }

    fn id(&self, branch: u16) -> TabId {
        TabId {
            purse: self.lane.purse,
            lane: self.lane.number,
            branch,
        }
    }

    /// A cap on a tab: with the enclave that has this receipt key, and with no other.
    /// A key that does not sign makes one that no enclave takes.
    fn cap(&self, branch: u16, receipt_key: &[u8; 32], cap: u64) -> Credential {
        let mut credential = Credential {
            tab: self.id(branch),
            cap,
            signature: [0; 64],
        };
        let digest = credential.statement(receipt_key).digest();
        credential.signature = self.lane.key.sign(&digest).unwrap_or([0; 64]);
        credential
    }

    /// Shows, on the connection with this exporter, that it is the lane's owner who asks on a tab: a cap alone is no secret.
    fn presence(&self, branch: u16, receipt_key: &[u8; 32], exporter: &[u8; 32]) -> String {
        let digest = self.id(branch).presence(receipt_key, exporter);
        let signature = self.lane.key.sign(&digest).unwrap_or([0; 64]);
        data_encoding::BASE64URL_NOPAD.encode(&signature)
    }

    fn branches<T>(&self, with: impl FnOnce(&mut Branches) -> T) -> T {
        // No holder of this lock can leave the table half-changed.
        with(&mut self.branches.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
