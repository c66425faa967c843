//! How far a lane's tabs may go at the enclave that runs here: as far as what it does can be collected, and no further.

use std::collections::{BTreeMap, BTreeSet};

use super::lane::TabKey;

/// The most tabs that the contract has in one lane, and in all of a purse (docs/spec/settle.md).
const MAX_TABS: usize = 1024;
const MAX_PURSE_TABS: usize = 24_576;
/// What is owed on small tabs may be one part in so many of the lane.
const SCATTERED: u64 = 4;

/// A lane's money, and where it is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    /// Nano that two answers agree are locked, less what the purse is short of.
    pub(crate) locked: u64,
    /// The least that a claim must bring.
    pub(crate) floor: u64,
    /// Tabs of the whole purse, on the chain.
    pub(crate) purse_tabs: usize,
    /// What the contract has paid on each tab.
    pub(crate) paid: BTreeMap<TabKey, u64>,
    /// What caps and receipts in the database say is owed on each.
    pub(crate) owed: BTreeMap<TabKey, u64>,
}

impl Lane {
    /// The most nano that all tabs of the lane may owe together at the enclave with these receipt keys.
    ///
    /// The other keys are those of enclaves that are gone. What was owed or paid on their tabs is not there for this one, except what is
    /// too little to be claimed: that cannot be collected any more. The ceiling falls to what is owed by now where more could not be
    /// collected: where all that is left is less than a claim must bring, where the contract has no room for another tab, and where more
    /// than a quarter of the lane is scattered over tabs each of which owes too little to be claimed.
    pub(crate) fn ceiling(&self, own: &BTreeSet<[u8; 32]>) -> u64 {
        let keys: BTreeSet<&TabKey> = self.paid.keys().chain(self.owed.keys()).collect();
        let (mut others, mut ours, mut ours_paid) = (0_u64, 0_u64, 0_u64);
        let mut small = Vec::new();
        for key in &keys {
            let paid = self.paid.get(key).copied().unwrap_or_default();
            let owed = self.owed.get(key).copied().unwrap_or_default().max(paid);
            let due = owed.saturating_sub(paid);
            if own.contains(&key.0) {
                ours = ours.saturating_add(owed);
                ours_paid = ours_paid.saturating_add(paid);
                if due < self.floor {
                    small.push(due);
                }
            } else {
                others = others.saturating_add(if due < self.floor { paid } else { owed });
            }
        }
        let most = self.locked.saturating_sub(others);
        // One tab always has little at first.
        let largest = small.iter().max().copied().unwrap_or_default();
        let scattered = small.iter().sum::<u64>().saturating_sub(largest);
        let full = keys.len() >= MAX_TABS || self.purse_tabs >= MAX_PURSE_TABS;
        let enough = most.saturating_sub(ours_paid) < self.floor;
        if full || enough || scattered > self.locked / SCATTERED {
            most.min(ours)
        } else {
            most
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: u64 = 27;
    const OWN: u8 = 1;
    const OLD: u8 = 2;

    /// A lane of 500 with tabs of (key, branch, owed, paid).
    fn ceiling(tabs: &[(u8, u16, u64, u64)]) -> u64 {
        let key = |key: u8, branch| ([key; 32], branch);
        let lane = Lane {
            locked: 500,
            floor: FLOOR,
            purse_tabs: tabs.len(),
            paid: tabs.iter().map(|it| (key(it.0, it.1), it.3)).collect(),
            owed: tabs.iter().map(|it| (key(it.0, it.1), it.2)).collect(),
        };
        lane.ceiling(&BTreeSet::from([[OWN; 32]]))
    }

    #[test]
    fn an_enclave_may_use_what_those_before_it_left() {
        assert_eq!(ceiling(&[]), 500);
        // Its own tabs count by their whole sums, whatever was paid on them.
        assert_eq!(ceiling(&[(OWN, 0, 300, 0)]), 500);
        assert_eq!(ceiling(&[(OWN, 0, 300, 300), (OWN, 1, 50, 0)]), 500);
        assert_eq!(ceiling(&[(OLD, 0, 100, 0)]), 400);
        assert_eq!(ceiling(&[(OLD, 0, 100, 60), (OLD, 1, 0, 40)]), 360);
        // The database was lost: the chain alone knows of it.
        assert_eq!(ceiling(&[(OLD, 0, 0, 80)]), 420);
        // What is too little to be claimed holds nothing back.
        assert_eq!(ceiling(&[(OLD, 0, 126, 100)]), 400);
        assert_eq!(ceiling(&[(OLD, 0, 127, 100)]), 373);
        assert_eq!(ceiling(&[(OLD, 0, 900, 0)]), 0);
    }

    #[test]
    fn nothing_more_is_served_where_nothing_more_can_be_collected() {
        // 26 are left, and a claim must bring 27.
        assert_eq!(ceiling(&[(OWN, 0, 474, 474)]), 474);
        assert_eq!(ceiling(&[(OWN, 0, 480, 474)]), 480);
        assert_eq!(ceiling(&[(OWN, 0, 473, 473)]), 500);
        assert_eq!(ceiling(&[(OLD, 0, 480, 480)]), 0);
        // Not yet claimed, the same is collected in one piece.
        assert_eq!(ceiling(&[(OWN, 0, 490, 0)]), 500);
    }

    #[test]
    fn many_small_tabs_cannot_empty_a_lane_for_nothing() {
        let tabs = |count: u16, owed| -> Vec<_> {
            (0..count).map(|branch| (OWN, branch, owed, 0)).collect()
        };
        assert_eq!(ceiling(&tabs(5, 26)), 500);
        assert_eq!(ceiling(&tabs(6, 26)), 156);
        assert_eq!(ceiling(&tabs(6, 27)), 500);
        assert_eq!(ceiling(&tabs(1024, 0)), 0);
        assert_eq!(ceiling(&tabs(1023, 0)), 500);
    }
}
