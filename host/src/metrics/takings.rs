//! What the cashier counts: sums of all clients together.

use super::{counters::Counter, page::Page};

/// In nano, unless it says otherwise.
#[derive(Debug, Default)]
pub(crate) struct Takings {
    /// Lanes that are known.
    pub(crate) lanes: Counter,
    /// What caps and receipts prove.
    pub(crate) owed: Counter,
    /// What could be claimed of it.
    pub(crate) due: Counter,
    /// What claims under way should bring.
    pub(crate) claimed: Counter,
    /// What the contracts paid, fees included.
    pub(crate) paid: Counter,
    /// Receipts that were refused, and their number alone.
    pub(crate) refused: Counter,
    /// Claims sent, each time.
    pub(crate) sent: Counter,
    /// Rounds in which something went wrong.
    pub(crate) troubled: Counter,
}

impl Takings {
    /// Adds all of it to the page.
    pub(super) fn publish(&self, page: &mut Page) {
        for (name, kind, counter, help) in [
            (
                "payment_lanes",
                "gauge",
                &self.lanes,
                "Lanes that are known.",
            ),
            (
                "payment_owed_nano",
                "gauge",
                &self.owed,
                "What caps and receipts prove, paid or not.",
            ),
            (
                "payment_due_nano",
                "gauge",
                &self.due,
                "What could be claimed and is not paid yet.",
            ),
            (
                "payment_claimed_nano",
                "gauge",
                &self.claimed,
                "What claims under way should bring.",
            ),
            (
                "payment_paid_nano",
                "gauge",
                &self.paid,
                "What the chain shows as paid, fees included.",
            ),
            (
                "payment_claims_sent_total",
                "counter",
                &self.sent,
                "Claims sent, each time that one was.",
            ),
            (
                "payment_receipts_refused_total",
                "counter",
                &self.refused,
                "Receipts of the guest that were refused.",
            ),
            (
                "payment_troubled_rounds_total",
                "counter",
                &self.troubled,
                "Rounds in which the chain or the database failed.",
            ),
        ] {
            page.one(name, kind, help, counter.read());
        }
    }
}
