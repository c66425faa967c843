//! What a directory keeps. Everything that it publishes comes from here: its folder can be made anew.
//!
//! Each change is all or nothing, sees what no other change is in the middle of, and is on the disk once it is committed.

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use chrysalis_network::ProviderId;

#[cfg(feature = "postgres")]
pub use self::postgres::Postgres;
pub use sqlite::Sqlite;

/// The most entries of the log that are read at once.
const PAGE: i64 = 4096;
/// What a listing, a report and an epoch are read from, in the order in which each database reads them.
const LISTING: &str =
    "SELECT id, weights, receipt_key, chip, evidence, seq, until, bytes FROM listings";
const REPORT: &str = "SELECT receipt_key, weights, epoch, minute, bytes FROM reports";
const CUT: &str = "SELECT epoch, at, whole, delta FROM cuts";

/// A database that a directory can be kept in.
pub trait Store: Send {
    /// Begins a change. What is not committed has not happened.
    fn change(&mut self) -> Result<Box<dyn Change + '_>, StoreError>;
}

/// A listing that was admitted, or what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What directories call it.
    pub id: ProviderId,
    /// Its class.
    pub weights: [u8; 32],
    /// Its enclave's.
    pub receipt_key: [u8; 32],
    /// The chip under its enclave.
    pub chip: [u8; 32],
    /// The evidence that it was admitted by.
    pub evidence: [u8; 32],
    /// Of two, the greater counts.
    pub seq: u64,
    /// Unix seconds: when it ends, or when what is left of it can be forgotten.
    pub until: i64,
    /// The signed listing; empty once it was withdrawn.
    pub bytes: Vec<u8>,
}

/// A report that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Whose.
    pub receipt_key: [u8; 32],
    /// Of which class.
    pub weights: [u8; 32],
    /// Which epoch of its price.
    pub epoch: u64,
    /// The minute, since 1970, in whose file it is.
    pub minute: i64,
    /// The signed report.
    pub bytes: Vec<u8>,
}

/// One of a class's epochs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Its number.
    pub epoch: u64,
    /// Unix seconds: when it began.
    pub at: i64,
    /// The class file.
    pub whole: Vec<u8>,
    /// What leads to it from the epoch before; empty for the first, and where it would be too long.
    pub delta: Vec<u8>,
}

/// A change of the database under way, which also is how it is read.
pub trait Change {
    /// A value by its name.
    fn about(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Sets it.
    fn set_about(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError>;

    /// What there is of a provider.
    fn listing(&mut self, id: ProviderId) -> Result<Option<Listed>, StoreError>;
    /// Puts it in the place of what there was.
    fn put_listing(&mut self, listed: &Listed) -> Result<(), StoreError>;
    /// The listings of a class that have not ended by then, sorted by their ids.
    fn listed(&mut self, weights: &[u8; 32], now: i64) -> Result<Vec<Listed>, StoreError>;
    /// How many listings of a class there are that have not ended.
    fn of_class(&mut self, weights: &[u8; 32], now: i64) -> Result<u64, StoreError>;
    /// How many there are on a chip.
    fn on_chip(&mut self, chip: &[u8; 32], now: i64) -> Result<u64, StoreError>;
    /// Whether an enclave is listed with this model.
    fn lists(
        &mut self,
        receipt_key: &[u8; 32],
        weights: &[u8; 32],
        now: i64,
    ) -> Result<bool, StoreError>;

    /// Evidence, by what offers call it: an encoded `EpochEvidence`.
    fn evidence(&mut self, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Puts evidence in the place of what there was, as of now.
    fn put_evidence(&mut self, digest: &[u8; 32], at: i64, bytes: &[u8]) -> Result<(), StoreError>;
    /// The next evidence that was put after this serial number, with its own.
    fn evidence_after(&mut self, serial: i64) -> Result<Option<(i64, [u8; 32])>, StoreError>;

    /// The report of one epoch.
    fn report(
        &mut self,
        receipt_key: &[u8; 32],
        weights: &[u8; 32],
        epoch: u64,
    ) -> Result<Option<Reported>, StoreError>;
    /// Adds a report, which must be a new one.
    fn put_report(&mut self, reported: &Reported) -> Result<(), StoreError>;
    /// The reports of a minute, by receipt key, weights and epoch.
    fn reports_of(&mut self, minute: i64) -> Result<Vec<Vec<u8>>, StoreError>;
    /// The first minute after this one, and before that one, that has reports.
    fn next_minute(&mut self, after: i64, before: i64) -> Result<Option<i64>, StoreError>;
    /// The newest report of each enclave with this model, of those that came in this minute or later.
    fn newest_reports(
        &mut self,
        weights: &[u8; 32],
        since: i64,
    ) -> Result<Vec<Reported>, StoreError>;

    /// The newest epoch of a class.
    fn newest_cut(&mut self, weights: &[u8; 32]) -> Result<Option<Cut>, StoreError>;
    /// One that is kept.
    fn cut(&mut self, weights: &[u8; 32], epoch: u64) -> Result<Option<Cut>, StoreError>;
    /// The epochs that are kept, in order, and whether something leads to each from the one before.
    fn epochs(&mut self, weights: &[u8; 32]) -> Result<Vec<(u64, bool)>, StoreError>;
    /// Adds an epoch.
    fn put_cut(&mut self, weights: &[u8; 32], cut: &Cut) -> Result<(), StoreError>;
    /// Forgets the epochs of a class before this one.
    fn forget_cuts(&mut self, weights: &[u8; 32], before: u64) -> Result<(), StoreError>;

    /// Some of the log's entries, from this one on.
    fn entries(&mut self, from: u64) -> Result<Vec<String>, StoreError>;
    /// Adds an entry to the log.
    fn put_entry(&mut self, number: u64, entry: &str) -> Result<(), StoreError>;
    /// The first head of the log that has more entries than this, with its size.
    fn head_after(&mut self, size: u64) -> Result<Option<(u64, String)>, StoreError>;
    /// Adds a head.
    fn put_head(&mut self, size: u64, note: &str) -> Result<(), StoreError>;

    /// Forgets what ended long ago: listings and evidence as of these seconds, reports as of this minute.
    fn forget(&mut self, listings: i64, evidence: i64, minute: i64) -> Result<(), StoreError>;

    /// Makes it so.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the directory's database: {what}")]
pub struct StoreError {
    what: String,
    full: bool,
}

impl StoreError {
    /// This is wrong, or the disk is full.
    pub fn new(what: impl fmt::Display, full: bool) -> Self {
        let what = what.to_string();
        Self { what, full }
    }

    /// Something that this program cannot have written.
    pub(crate) fn unreadable(what: impl fmt::Display) -> Self {
        Self::new(format_args!("it holds {what}"), false)
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        if self.full {
            "make room on the disk that it is on; what was not noted is sent again"
        } else {
            "check that the database can be written, and that no other program holds it"
        }
    }
}

/// A database that several threads share, one change at a time.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Box<dyn Store>>>);

impl Shared {
    /// Shares it.
    pub fn new(store: impl Store + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(store))))
    }

    /// Makes a change. It is committed if and only if `change` comes back without an error. Blocks.
    pub fn change<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut dyn Change) -> Result<T, E>,
    ) -> Result<T, E> {
        // A change that panicked was not committed.
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut under_way = store.change()?;
        let done = change(&mut *under_way)?;
        under_way.commit()?;
        Ok(done)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Shared")
    }
}
