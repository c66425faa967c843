//! One provider that was chosen: its gate, kept verified for as long as this is kept.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrysalis_network::ProviderId;

use super::roster::Row;
use crate::{
    Error, Payer, RelyingParty,
    channel::Task,
    pay::Limit,
    proxy::{ReceiptFolder, gate::Gate},
};

/// A provider.
pub(super) struct Provider {
    pub(super) id: ProviderId,
    pub(super) gate: Arc<Gate>,
    pub(super) payee: [u8; 32],
    payer: Option<Arc<Payer>>,
    row: Row,
    /// Verifies it again and again, once it was verified.
    renewing: Mutex<Option<Task>>,
}

impl Provider {
    pub(super) fn new(
        row: &Row,
        relying_party: &RelyingParty,
        payer: Option<Arc<Payer>>,
        limit: &Arc<Limit>,
        (pays, receipts): (bool, Option<ReceiptFolder>),
    ) -> Self {
        let party = relying_party.clone();
        let wanted = pays.then(|| Arc::clone(limit));
        let mut party = party.listed(Arc::clone(&row.listing), wanted);
        if let Some(payer) = &payer {
            party = party.paying(Arc::clone(payer));
        }
        Self {
            id: row.id,
            gate: Arc::new(Gate::new(row.targets.clone(), party, receipts)),
            payee: row.wanted.payee,
            payer,
            row: row.clone(),
            renewing: Mutex::default(),
        }
    }

    /// Whether it is still the one that this row is about, paid in the same way.
    pub(super) fn is(&self, row: &Row, payer: Option<&Arc<Payer>>) -> bool {
        let (mine, theirs) = (self.row.listing.offer(), row.listing.offer());
        let same_pay = match (&self.payer, payer) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        };
        same_pay
            && self.row.targets == row.targets
            && self.payee == row.wanted.payee
            && mine.configuration == theirs.configuration
            && mine.release == theirs.release
            && (&mine.model, &mine.kind) == (&theirs.model, &theirs.kind)
    }

    /// Whether it is verified, and trusted now.
    pub(super) fn stands(&self) -> bool {
        self.gate.standing().is_ok()
    }

    /// Verifies it, and from then on again after each interval.
    pub(super) async fn verify(&self, interval: Duration) -> Result<(), Error> {
        self.gate.current_epoch().await?;
        self.keep_verified(interval);
        Ok(())
    }

    /// Verifies it again after each interval.
    pub(super) fn keep_verified(&self, interval: Duration) {
        let mut renewing = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        if renewing.is_none() {
            let gate = Arc::clone(&self.gate);
            let task = tokio::spawn(async move { gate.renew_for_ever(interval).await });
            *renewing = Some(task.into());
        }
    }
}
