//! How far a paid tab may go: its client's cap, the lane's ceiling, and the bounds of the jobs that run.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Credential, NotAdmitted};

/// So many jobs given up within [`GIVEN_UP_WITHIN`] close a tab for [`CLOSED_FOR`].
const MOST_GIVEN_UP: usize = 3;
/// Milliseconds.
const GIVEN_UP_WITHIN: u64 = 60_000;
/// Milliseconds.
const CLOSED_FOR: u64 = 60_000;

/// What all tabs of a lane have taken at this enclave: what they owe, and the bounds of their running jobs.
#[derive(Debug, Default)]
pub(crate) struct Lane(Mutex<u64>);

impl Lane {
    pub(crate) fn taken(&self) -> u64 {
        *self.lock()
    }

    /// What is left of a ceiling.
    fn left(&self, ceiling: u64) -> u64 {
        ceiling.saturating_sub(self.taken())
    }

    /// Takes so much, if the ceiling leaves it.
    fn take(&self, bound: u64, ceiling: u64) -> Option<()> {
        let mut taken = self.lock();
        *taken = taken.checked_add(bound).filter(|sum| *sum <= ceiling)?;
        Some(())
    }

    /// A job with this bound has ended, and owes so much of it.
    fn settle(&self, bound: u64, amount: u64) {
        let mut taken = self.lock();
        *taken = taken.saturating_sub(bound.saturating_sub(amount));
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far one tab may go.
#[derive(Debug)]
pub(crate) struct Allowance {
    lane: Arc<Lane>,
    /// With the highest cap so far.
    credential: Credential,
    /// Of all jobs that run, together.
    bounds: u64,
    /// When jobs were given up, in milliseconds.
    given_up: VecDeque<u64>,
    closed_until: u64,
}

impl Allowance {
    pub(crate) fn new(lane: Arc<Lane>, credential: Credential) -> Self {
        Self {
            lane,
            credential,
            bounds: 0,
            given_up: VecDeque::new(),
            closed_until: 0,
        }
    }

    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// A cap never falls.
    pub(crate) fn raise(&mut self, credential: &Credential) {
        if credential.cap > self.credential.cap {
            self.credential = *credential;
        }
    }

    /// Takes the bound of one more job on a tab that owes so much.
    pub(crate) fn admit(
        &mut self,
        owed: u64,
        bound: u64,
        ceiling: u64,
        now: u64,
    ) -> Result<(), NotAdmitted> {
        let after = self.closed_until.saturating_sub(now);
        if after > 0 {
            return Err(NotAdmitted::GivenUp { after });
        }
        let cap = self.credential.cap;
        let taken = owed.saturating_add(self.bounds);
        let wanted = taken.checked_add(bound);
        let admitted = wanted
            .filter(|wanted| *wanted <= cap)
            .and_then(|_| self.lane.take(bound, ceiling));
        if admitted.is_none() {
            return Err(NotAdmitted::TooLow {
                wanted: wanted.unwrap_or(u64::MAX),
                cap,
                ceiling: taken.saturating_add(self.lane.left(ceiling)),
            });
        }
        self.bounds = self.bounds.saturating_add(bound);
        Ok(())
    }

    /// A job with this bound has ended, and owes so much of it.
    pub(crate) fn settle(&mut self, bound: u64, amount: u64) {
        self.bounds = self.bounds.saturating_sub(bound);
        self.lane.settle(bound, amount);
    }

    /// A job was given up before it owed anything.
    pub(crate) fn give_up(&mut self, now: u64) {
        let since = now.saturating_sub(GIVEN_UP_WITHIN);
        self.given_up.retain(|at| *at > since || since == 0);
        self.given_up.push_back(now);
        if self.given_up.len() >= MOST_GIVEN_UP {
            self.given_up.clear();
            self.closed_until = now.saturating_add(CLOSED_FOR);
        }
    }
}
