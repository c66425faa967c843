//! What this proxy has seen of a provider: nobody else's word counts.

use std::sync::Arc;

use chrysalis_network::Health;

use super::{
    provider::Provider,
    roster::{Roster, Row},
};
use crate::pay::Limit;

/// What this proxy has seen of a provider.
#[derive(Default)]
pub(super) struct Known {
    pub(super) health: Health,
    /// Its evidence was verified: only then is money locked for its operator.
    pub(super) verified: bool,
    /// It is under way.
    pub(super) verifying: bool,
    /// What it asks, and what it may.
    pub(super) limit: Option<Arc<Limit>>,
    pub(super) provider: Option<Arc<Provider>>,
}

impl Known {
    /// What it asked of late.
    pub(super) fn asked(&self) -> Option<u64> {
        self.limit.as_ref()?.asked()
    }
}

/// What it asks: what it said itself, or else what directories say.
pub(super) fn price(roster: &Roster, row: &Row, known: Option<&Known>) -> u64 {
    let asked = known.and_then(Known::asked);
    asked.or(row.hint).or(roster.index).unwrap_or(1)
}
