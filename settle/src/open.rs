//! The enclave's side of tabs: who may ask once more under which number, and receipts made under one lock per tab.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Attested, End, Job, JobNumber, Receipt, Standing, Statement, TabId, Tag, chain};

/// The most tabs at once.
pub const MAX_TABS: usize = 65_536;
/// How many of a tab's job numbers are kept, so that each is used once.
pub const NUMBERS_KEPT: usize = 1024;

/// Has the receipt key.
pub trait Sign {
    /// Ed25519 over these 32 bytes. `None`: the key is gone.
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]>;
}

/// Why a job that has ended gets no receipt. Its tab stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReceipt {
    /// The sum does not fit into 64 bits.
    #[error("the tab's sum does not fit into 64 bits")]
    Overflow,
    /// The key is gone.
    #[error("the receipt key is gone")]
    NoKey,
}

/// The number was used before on this tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this job's number was used before; draw a new one for each job")]
pub struct JobRepeated;

/// All tabs are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all tabs are in use; try again later")]
pub struct TabsFull;

/// A job whose number is used, and which has no receipt yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Running(JobNumber);

impl Running {
    /// The client's number.
    pub fn number(&self) -> JobNumber {
        self.0
    }
}

/// What became of a job.
#[derive(Debug, Clone, Copy)]
pub struct Done<'a> {
    /// The evidence of the epoch in which it was answered.
    pub attested: &'a Attested,
    /// Prompt tokens, cached ones among them, completion tokens, milliseconds of audio.
    pub units: [u64; 4],
    /// The digest of the quote that it was priced by.
    pub quote: [u8; 32],
    /// Nano.
    pub amount: u64,
    /// SHA-256 of the request's body.
    pub request: [u8; 32],
    /// SHA-256 of the answer's body, as far as it was handed over.
    pub answer: [u8; 32],
    /// How it ended.
    pub end: End,
    /// Unix seconds when it began.
    pub began: i64,
    /// Unix seconds when it ended.
    pub ended: i64,
}

/// A tab at the enclave.
#[derive(Debug)]
pub struct OpenTab {
    id: TabId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    standing: Standing,
    numbers: VecDeque<JobNumber>,
    last: Option<Receipt>,
}

impl OpenTab {
    fn new(id: TabId, receipt_key: &[u8; 32]) -> Self {
        let standing = Standing {
            seq: 0,
            cumulative: 0,
            head: chain::first_head(receipt_key, &id),
        };
        Self {
            id,
            state: Mutex::new(State {
                standing,
                numbers: VecDeque::new(),
                last: None,
            }),
        }
    }

    /// Which tab it is.
    pub fn id(&self) -> TabId {
        self.id
    }

    /// Takes a job's number, once.
    pub fn begin(&self, job: JobNumber) -> Result<Running, JobRepeated> {
        let mut state = self.lock();
        if state.numbers.contains(&job) {
            return Err(JobRepeated);
        }
        if state.numbers.len() >= NUMBERS_KEPT {
            state.numbers.pop_front();
        }
        state.numbers.push_back(job);
        Ok(Running(job))
    }

    /// Makes the receipt of a job. It gets its place in the chain here, so jobs may end in any order.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a job has one receipt: this uses it up"
    )]
    pub fn end(
        &self,
        job: Running,
        done: &Done<'_>,
        key: &impl Sign,
    ) -> Result<Receipt, NoReceipt> {
        let mut state = self.lock();
        let Standing {
            seq,
            cumulative,
            head,
        } = state.standing;
        let seq = seq.checked_add(1).ok_or(NoReceipt::Overflow)?;
        let cumulative = cumulative
            .checked_add(done.amount)
            .ok_or(NoReceipt::Overflow)?;
        let encoded = Job {
            seq,
            job: job.0,
            claims: done.attested.claims,
            evidence: done.attested.evidence,
            epoch: done.attested.epoch,
            quote: done.quote,
            units: done.units,
            amount: done.amount,
            cumulative,
            request: chain::request_commitment(&job.0, &done.request),
            response: chain::response_commitment(&job.0, &done.answer),
            end: done.end,
            began: done.began,
            ended: done.ended,
        }
        .encode();
        let head = chain::next_head(&head, &encoded);
        let statement = Statement {
            tag: Tag::Receipt,
            tab: self.id,
            amount: cumulative,
            last: head,
        };
        let receipt = Receipt {
            signature: key.sign(&statement.digest()).ok_or(NoReceipt::NoKey)?,
            job: encoded,
        };
        state.standing = Standing {
            seq,
            cumulative,
            head,
        };
        state.last = Some(receipt.clone());
        Ok(receipt)
    }

    /// The last receipt.
    pub fn last(&self) -> Option<Receipt> {
        self.lock().last.clone()
    }

    /// Whether the last receipt is one of a job that its client gave up: it has not been delivered with an answer.
    pub fn is_owed_a_receipt(&self) -> bool {
        let last = self.last();
        let job = last.and_then(|receipt| Job::decode(&receipt.job).ok());
        job.is_some_and(|job| job.end == End::Cancelled)
    }

    /// No holder of this lock can leave the state half-changed: it is written after all that can fail.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All tabs of an enclave.
#[derive(Debug)]
pub struct Tabs {
    receipt_key: [u8; 32],
    most: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<TabId, Arc<OpenTab>>,
    /// Those that nobody uses any more, in the order in which they are forgotten.
    left: VecDeque<TabId>,
}

impl Tabs {
    /// No tabs yet, and room for `most`, of [`MAX_TABS`] at most.
    pub fn new(receipt_key: [u8; 32], most: usize) -> Self {
        Self {
            receipt_key,
            most: most.min(MAX_TABS),
            table: Mutex::default(),
        }
    }

    /// The tab of this name, or a new one. Where there is no room, one that was left goes.
    pub fn open(&self, id: TabId) -> Result<Arc<OpenTab>, TabsFull> {
        let mut table = self.lock();
        if let Some(tab) = table.open.get(&id) {
            return Ok(Arc::clone(tab));
        }
        if table.open.len() >= self.most {
            let oldest = table.left.pop_front().ok_or(TabsFull)?;
            table.open.remove(&oldest);
        }
        let tab = Arc::new(OpenTab::new(id, &self.receipt_key));
        table.open.insert(id, Arc::clone(&tab));
        Ok(tab)
    }

    /// The tab of this name, if there is one.
    pub fn find(&self, id: &TabId) -> Option<Arc<OpenTab>> {
        self.lock().open.get(id).cloned()
    }

    /// Nobody asks on this tab any more, but its last receipt may still be fetched: it is kept until its room is needed.
    pub fn leave(&self, id: &TabId) {
        let mut table = self.lock();
        let Some(tab) = table.open.get(id) else {
            return;
        };
        tab.lock().numbers = VecDeque::new();
        table.left.push_back(*id);
    }

    /// Forgets a tab.
    pub fn forget(&self, id: &TabId) {
        let mut table = self.lock();
        table.open.remove(id);
        table.left.retain(|left| left != id);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
