//! When a class gets its next epoch, and what is in it.

use std::collections::BTreeMap;

use chrysalis_attestation::Time;
use chrysalis_network::{ClassFile, MAX_DELTA, ProviderId};

use super::now::Known;
use crate::store::{Change, Cut, StoreError};

/// How often a class is looked at where nobody of this machine touched it, in seconds.
const LOOK: i64 = 15;
/// How soon after one epoch the next may begin, in seconds.
const SOON: i64 = 2;
/// The most epochs that begin ahead of their time within one that does not.
const AHEAD: u32 = 12;
/// How often what is asked now is written where nothing changed, in seconds.
const SHOW: i64 = 30;

/// When epochs begin.
#[derive(Debug, Clone, Copy)]
pub struct Cuts {
    /// Seconds from one to the next, where something has changed. Somebody new, or gone, gets an epoch ahead of its time while these are
    /// few.
    pub every: u32,
}

impl Default for Cuts {
    fn default() -> Self {
        Self { every: 600 }
    }
}

/// What is known of a class between two ticks.
#[derive(Debug, Default)]
pub(super) struct ClassState {
    looked: Option<i64>,
    touched: bool,
    changed: bool,
    shown: Option<i64>,
    ahead: u32,
    pub(super) known: Known,
}

impl ClassState {
    /// A listing or a report of it came.
    pub(super) fn touch(&mut self) {
        self.touched = true;
        self.changed = true;
    }

    pub(super) fn is_due(&self, now: Time) -> bool {
        self.touched || is_over(self.looked, LOOK, now)
    }

    /// Whether what is asked now is to be written.
    pub(super) fn shows(&self, now: Time) -> bool {
        self.changed || is_over(self.shown, SHOW, now)
    }

    pub(super) fn shown(&mut self, now: Time) {
        self.changed = false;
        self.shown = Some(now.0);
    }
}

/// A clock that was set back is no reason to wait.
fn is_over(since: Option<i64>, seconds: i64, now: Time) -> bool {
    since.is_none_or(|since| !(0..seconds).contains(&now.0.saturating_sub(since)))
}

/// Begins the next epoch of a class, if it is time.
pub(super) fn cut(
    change: &mut dyn Change,
    (network, weights): ([u8; 32], [u8; 32]),
    class: &mut ClassState,
    cuts: Cuts,
    now: Time,
) -> Result<Option<Cut>, StoreError> {
    class.looked = Some(now.0);
    let listed = change.listed(&weights, now.0)?.into_iter();
    let listings: BTreeMap<ProviderId, Vec<u8>> = listed.map(|it| (it.id, it.bytes)).collect();
    let before = change.newest_cut(&weights)?;
    let Some(before) = before else {
        class.touched = false;
        let first = ClassFile {
            network,
            weights,
            epoch: 0,
            listings,
        };
        return put(change, &weights, &first, Vec::new(), now).map(Some);
    };
    let old = ClassFile::decode(&before.whole)
        .map_err(|_| StoreError::unreadable("a class file that is none"))?;
    if old.listings == listings {
        class.touched = false;
        return Ok(None);
    }
    let regular = is_over(Some(before.at), cuts.every.into(), now);
    let different = |(id, _): (&ProviderId, _)| !old.listings.contains_key(id);
    let news =
        listings.iter().any(different) || old.listings.keys().any(|id| !listings.contains_key(id));
    let ahead = news && class.ahead < AHEAD && is_over(Some(before.at), SOON, now);
    if !regular && !ahead {
        // Somebody new is looked at again with the next tick.
        class.touched = news && class.ahead < AHEAD;
        return Ok(None);
    }
    class.ahead = if regular { 0 } else { class.ahead + 1 };
    class.touched = false;
    class.changed = true;
    let Some(epoch) = old.epoch.checked_add(1) else {
        return Ok(None);
    };
    let next = ClassFile {
        epoch,
        listings,
        ..old.clone()
    };
    let delta = next.since(&old).encode();
    let delta = if delta.len() <= MAX_DELTA {
        delta
    } else {
        Vec::new()
    };
    put(change, &weights, &next, delta, now).map(Some)
}

fn put(
    change: &mut dyn Change,
    weights: &[u8; 32],
    file: &ClassFile,
    delta: Vec<u8>,
    now: Time,
) -> Result<Cut, StoreError> {
    let cut = Cut {
        epoch: file.epoch,
        at: now.0,
        whole: file.encode(),
        delta,
    };
    change.put_cut(weights, &cut)?;
    Ok(cut)
}
