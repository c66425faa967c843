//! A tab at the enclave: who may ask once more under which number, and receipts made under one lock.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Attested, Credential, End, Job, JobNumber, JobRepeated, NotAdmitted, Receipt, Standing,
    Statement, TabId,
    allowance::{Allowance, Lane},
    chain,
};

/// How many of a tab's job numbers are kept, so that each is used once.
pub const NUMBERS_KEPT: usize = 1024;
/// How many of a paid tab's receipts are kept for a client that missed some.
pub const RECEIPTS_KEPT: usize = 8;

/// Has the receipt key.
pub trait Sign {
    /// Ed25519 over these 32 bytes. `None`: the key is gone.
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]>;
}

/// Why a job that has ended gets no receipt. Nothing is owed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReceipt {
    /// The sum does not fit into 64 bits.
    #[error("the tab's sum does not fit into 64 bits")]
    Overflow,
    /// The key is gone.
    #[error("the receipt key is gone")]
    NoKey,
}

/// A job whose number is used, and which has no receipt yet. On a paid tab its bound is taken until it ends in one of three ways:
/// [`OpenTab::end`], [`OpenTab::fail`] or [`OpenTab::give_up`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Running {
    number: JobNumber,
    bound: u64,
}

impl Running {
    /// The client's number.
    pub fn number(&self) -> JobNumber {
        self.number
    }

    /// The most that it may owe.
    pub fn bound(&self) -> u64 {
        self.bound
    }
}

/// What became of a job.
#[derive(Debug, Clone, Copy)]
pub struct Done<'a> {
    /// The evidence of the epoch in which it was answered.
    pub attested: &'a Attested,
    /// Prompt tokens that were read, prompt tokens that were cached, completion tokens, milliseconds of audio.
    pub units: [u64; 4],
    /// The digest of the quote that it was priced by.
    pub quote: [u8; 32],
    /// Nano. No more than the job's bound is owed.
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

/// What a payee can show for a tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    /// The client's highest cap.
    pub credential: Credential,
    /// What is owed.
    pub statement: Statement,
    /// Ed25519 by the receipt key over the statement.
    pub signature: [u8; 64],
    /// Which job of the tab was the last.
    pub seq: u64,
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
    /// The newest is the last.
    receipts: VecDeque<Receipt>,
    /// None without payment.
    allowance: Option<Allowance>,
}

impl OpenTab {
    pub(crate) fn new(id: TabId, receipt_key: &[u8; 32], allowance: Option<Allowance>) -> Self {
        let standing = Standing::first(receipt_key, &id);
        Self {
            id,
            state: Mutex::new(State {
                standing,
                numbers: VecDeque::new(),
                receipts: VecDeque::new(),
                allowance,
            }),
        }
    }

    /// Which tab it is.
    pub fn id(&self) -> TabId {
        self.id
    }

    /// How far it has come.
    pub fn standing(&self) -> Standing {
        self.lock().standing
    }

    pub(crate) fn lane(&self) -> Option<Arc<Lane>> {
        let state = self.lock();
        state.allowance.as_ref().map(|it| Arc::clone(it.lane()))
    }

    /// Takes a job's number, once, for an unpaid job.
    pub fn begin(&self, job: JobNumber) -> Result<Running, JobRepeated> {
        let mut state = self.lock();
        state.require_new(&job)?;
        Ok(state.take(job, 0))
    }

    /// The same for a paid job, if the cap and the lane's ceiling allow it to owe `bound`.
    pub(crate) fn admit(
        &self,
        job: JobNumber,
        bound: u64,
        ceiling: u64,
        now: u64,
    ) -> Result<Running, NotAdmitted> {
        let mut state = self.lock();
        state.require_new(&job)?;
        let owed = state.standing.cumulative;
        let Some(allowance) = &mut state.allowance else {
            return Err(NotAdmitted::TooLow {
                wanted: bound,
                cap: 0,
                ceiling: 0,
            });
        };
        allowance.admit(owed, bound, ceiling, now)?;
        Ok(state.take(job, bound))
    }

    /// Takes a cap whose signature was verified, unless the tab has a higher one.
    pub fn raise(&self, credential: &Credential) {
        if let Some(allowance) = &mut self.lock().allowance {
            allowance.raise(credential);
        }
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
        let amount = done.amount.min(job.bound);
        let signed = state.sign(self.id, job.number, &Done { amount, ..*done }, key);
        state.settle(job.bound, if signed.is_ok() { amount } else { 0 });
        signed
    }

    /// A job came to nothing, and not by its client's doing: nothing is owed.
    #[expect(clippy::needless_pass_by_value, reason = "this uses it up")]
    pub fn fail(&self, job: Running) {
        self.lock().settle(job.bound, 0);
    }

    /// A client gave a job up before it owed anything. After three in a minute its tab is closed for a minute. `now` is in
    /// milliseconds of a clock that never goes back.
    #[expect(clippy::needless_pass_by_value, reason = "this uses it up")]
    pub fn give_up(&self, job: Running, now: u64) {
        let mut state = self.lock();
        state.settle(job.bound, 0);
        if let Some(allowance) = &mut state.allowance {
            allowance.give_up(now);
        }
    }

    /// Counts what ended as if it had been given up: for a client that gets much of an answer which then fails by its own doing.
    pub fn blame(&self, now: u64) {
        if let Some(allowance) = &mut self.lock().allowance {
            allowance.give_up(now);
        }
    }

    /// The last receipt.
    pub fn last(&self) -> Option<Receipt> {
        self.lock().receipts.back().cloned()
    }

    /// The last receipts, at most [`RECEIPTS_KEPT`] of a paid tab and one of another, and the head after them.
    pub fn recent(&self) -> (Vec<Receipt>, [u8; 32]) {
        let state = self.lock();
        (
            state.receipts.iter().cloned().collect(),
            state.standing.head,
        )
    }

    /// What its payee can show, if it is paid and something is owed.
    pub fn debt(&self) -> Option<Debt> {
        let state = self.lock();
        let credential = *state.allowance.as_ref()?.credential();
        let signature = state.receipts.back()?.signature;
        let standing = state.standing;
        (standing.cumulative > 0).then(|| Debt {
            credential,
            statement: standing.statement(self.id),
            signature,
            seq: standing.seq,
        })
    }

    /// Whether the last receipt is one of a job that its client gave up: it has not been delivered with an answer.
    pub fn is_owed_a_receipt(&self) -> bool {
        let last = self.last();
        let job = last.and_then(|receipt| Job::decode(&receipt.job).ok());
        job.is_some_and(|job| job.end == End::Cancelled)
    }

    /// Nobody asks any more.
    pub(crate) fn forget_numbers(&self) {
        self.lock().numbers = VecDeque::new();
    }

    /// No holder of this lock can leave the state half-changed: it is written after all that can fail.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn require_new(&self, job: &JobNumber) -> Result<(), JobRepeated> {
        if self.numbers.contains(job) {
            return Err(JobRepeated);
        }
        Ok(())
    }

    fn take(&mut self, number: JobNumber, bound: u64) -> Running {
        if self.numbers.len() >= NUMBERS_KEPT {
            self.numbers.pop_front();
        }
        self.numbers.push_back(number);
        Running { number, bound }
    }

    fn settle(&mut self, bound: u64, amount: u64) {
        if let Some(allowance) = &mut self.allowance {
            allowance.settle(bound, amount);
        }
    }

    fn sign(
        &mut self,
        tab: TabId,
        number: JobNumber,
        done: &Done<'_>,
        key: &impl Sign,
    ) -> Result<Receipt, NoReceipt> {
        let before = self.standing;
        let seq = before.seq.checked_add(1).ok_or(NoReceipt::Overflow)?;
        let cumulative = before
            .cumulative
            .checked_add(done.amount)
            .ok_or(NoReceipt::Overflow)?;
        let job = Job {
            seq,
            job: number,
            claims: done.attested.claims,
            evidence: done.attested.evidence,
            epoch: done.attested.epoch,
            quote: done.quote,
            units: done.units,
            amount: done.amount,
            cumulative,
            request: chain::request_commitment(&number, &done.request),
            response: chain::response_commitment(&number, &done.answer),
            end: done.end,
            began: done.began,
            ended: done.ended,
        }
        .encode();
        let standing = Standing {
            seq,
            cumulative,
            head: chain::next_head(&before.head, &job),
        };
        let digest = standing.statement(tab).digest();
        let signature = key.sign(&digest).ok_or(NoReceipt::NoKey)?;
        let receipt = Receipt { job, signature };
        self.standing = standing;
        self.keep(receipt.clone());
        Ok(receipt)
    }

    fn keep(&mut self, receipt: Receipt) {
        let most = self.allowance.as_ref().map_or(1, |_| RECEIPTS_KEPT);
        if self.receipts.len() >= most {
            self.receipts.pop_front();
        }
        self.receipts.push_back(receipt);
    }
}

#[cfg(test)]
mod tests;
