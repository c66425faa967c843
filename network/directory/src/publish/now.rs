//! What each provider of a class asks now, by the newest report of its enclave.

use std::collections::BTreeMap;

use chrysalis_attestation::Time;
use chrysalis_network::{Asked, Now, NowEntry, ProviderId, SignedListing, index};
use chrysalis_settle::{Report, SignedReport};

use crate::store::{Change, StoreError};

/// The oldest report that still counts, in minutes.
pub(crate) const COUNTS: i64 = 10;

/// What was read before, so that no signature is checked twice.
#[derive(Debug, Default)]
pub(super) struct Known {
    reports: BTreeMap<[u8; 32], Report>,
    kinds: BTreeMap<ProviderId, (u64, String)>,
}

/// `None` for a class without an epoch.
pub(super) fn now(
    change: &mut dyn Change,
    (network, weights): ([u8; 32], [u8; 32]),
    known: &mut Known,
    now: Time,
) -> Result<Option<Now>, StoreError> {
    let epochs = change.epochs(&weights)?;
    let Some((epoch, _)) = epochs.last().copied() else {
        return Ok(None);
    };
    known.read_reports(change, &weights, now)?;
    let listed = change.listed(&weights, now.0)?;
    let mut entries = BTreeMap::new();
    // An enclave counts once, however many operators list it.
    let mut asked = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    for listing in &listed {
        let kind = match known.kinds.remove(&listing.id) {
            Some((seq, kind)) if seq == listing.seq => kind,
            _ => SignedListing::verify(&listing.bytes)
                .map_err(|_| StoreError::unreadable("a listing that is none"))?
                .offer()
                .kind
                .clone(),
        };
        if let Some(report) = known.reports.get(&listing.receipt_key) {
            let price = Asked::price_of(&kind, &report.asked);
            let capacity = report.load.capacity;
            let load = thousandths(report.load.used.into(), capacity.max(1).into());
            entries.insert(listing.id, NowEntry { price, load });
            asked.insert(listing.receipt_key, Asked { price, capacity });
        }
        kinds.insert(listing.id, (listing.seq, kind));
    }
    known.kinds = kinds;
    let asked: Vec<_> = asked.into_values().collect();
    Ok(Some(Now {
        network,
        weights,
        at: now.0,
        epoch,
        since: since(&epochs),
        index: index(&asked).unwrap_or_default(),
        entries,
    }))
}

impl Known {
    fn read_reports(
        &mut self,
        change: &mut dyn Change,
        weights: &[u8; 32],
        now: Time,
    ) -> Result<(), StoreError> {
        let minute = now.0.div_euclid(60).saturating_sub(COUNTS);
        let mut reports = BTreeMap::new();
        for newest in change.newest_reports(weights, minute)? {
            let key = newest.receipt_key;
            let report = match self.reports.remove(&key) {
                Some(report) if report.epoch == newest.epoch => report,
                _ => SignedReport::verify(&newest.bytes)
                    .map_err(|_| StoreError::unreadable("a report that is none"))?,
            };
            reports.insert(key, report);
        }
        self.reports = reports;
        Ok(())
    }
}

/// A part in thousandths of the whole, a thousand at most; 0 of nothing.
pub(crate) fn thousandths(part: u128, whole: u128) -> u16 {
    let found = part.saturating_mul(1000).checked_div(whole);
    u16::try_from(found.unwrap_or_default().min(1000)).unwrap_or(1000)
}

/// The oldest epoch from which deltas lead to the newest.
fn since(epochs: &[(u64, bool)]) -> u64 {
    let mut since = epochs.last().map_or(0, |(epoch, _)| *epoch);
    for (epoch, led) in epochs.iter().rev() {
        match epoch.checked_sub(1) {
            Some(before) if *led && *epoch == since => since = before,
            _ => break,
        }
    }
    since
}
