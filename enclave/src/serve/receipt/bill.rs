//! What a paid job may owe, and in the end does.

use std::sync::Arc;

use chrysalis_settle::{End, Rejection, money};

use super::used::Used;
use crate::serve::pay::{Offer, Outcome, Till, Work};

/// The most units that a job may be billed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Most([u64; 4]);

impl Most {
    /// Of a request with a body of so many bytes that may make so many tokens. A token of the prompt has at least a byte.
    pub(super) fn of_text(body: u64, completion: u64) -> Self {
        Self([body.saturating_add(money::TEMPLATE), 0, completion, 0])
    }

    /// Of a recording.
    pub(super) fn of_audio(milliseconds: u64) -> Self {
        Self([0, 0, 0, milliseconds])
    }

    /// What they cost.
    pub(super) fn bound(&self, offer: &Offer) -> Result<u64, Rejection> {
        money::amount(&self.0, &offer.quote.price)
    }
}

/// The bill of one paid job.
pub(super) struct Bill {
    till: Arc<Till>,
    offer: Arc<Offer>,
    most: Most,
    work: Arc<Work>,
    handed_over: bool,
}

impl Bill {
    pub(super) fn new(till: Arc<Till>, offer: Arc<Offer>, most: Most, work: Arc<Work>) -> Self {
        Self {
            till,
            offer,
            most,
            work,
            handed_over: false,
        }
    }

    /// The digest of the quote.
    pub(super) fn quote(&self) -> [u8; 32] {
        self.offer.digest
    }

    /// A piece of the answer was handed over.
    pub(super) fn handed_over(&mut self) {
        self.handed_over = true;
        self.work.owes();
    }

    pub(super) fn is_handed_over(&self) -> bool {
        self.handed_over
    }

    /// What is billed, and what that costs. None: it was given up before it owed anything. What fails owes nothing, and then nothing is
    /// billed.
    pub(super) fn of(&self, used: &Used, end: End) -> Option<([u64; 4], u64)> {
        match end {
            End::Failed => return Some(([0; 4], 0)),
            End::Cancelled if !self.handed_over => return None,
            End::Stop | End::Length | End::Cancelled => {}
        }
        let units = used.units_within(self.most.0);
        // Within the bound, which could be computed.
        let amount = money::amount(&units, &self.offer.quote.price).ok()?;
        Some((units, amount))
    }

    pub(super) fn owes(self, amount: u64) {
        self.end(Outcome::Owes(amount));
    }

    pub(super) fn failed(self) {
        self.end(Outcome::Failed);
    }

    pub(super) fn given_up(self) {
        self.end(Outcome::GivenUp);
    }

    fn end(self, outcome: Outcome) {
        let model = &self.offer.quote.model;
        self.till.prices.end(model, &self.work, outcome);
    }
}
