//! Which branches of a lane are in use, and how far the tabs of the others have come.

use std::collections::BTreeMap;

use chrysalis_settle::Tab;

/// Branches at the enclaves that this process knows. A tab is one enclave's, so each has its own.
#[derive(Debug, Default)]
pub(super) struct Branches {
    first: u16,
    tables: BTreeMap<[u8; 32], Table>,
}

#[derive(Debug)]
struct Table {
    /// No branch from here on was used. 65,536: none is left.
    next: u32,
    free: BTreeMap<u16, Tab>,
}

impl Branches {
    /// From this one on: those before it are another process's.
    pub(super) fn from(first: u16) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    /// A branch that no connection has, and its tab if one was here before. The fewest are used: each costs a claim of its own.
    pub(super) fn take(&mut self, receipt_key: &[u8; 32]) -> Option<(u16, Option<Tab>)> {
        let new = Table {
            next: self.first.into(),
            free: BTreeMap::new(),
        };
        let table = self.tables.entry(*receipt_key).or_insert(new);
        if let Some((branch, tab)) = table.free.pop_first() {
            return Some((branch, Some(tab)));
        }
        let branch = u16::try_from(table.next).ok()?;
        table.next = table.next.saturating_add(1);
        Some((branch, None))
    }

    /// This branch is free again, and its tab stands like this.
    pub(super) fn give_back(&mut self, receipt_key: &[u8; 32], branch: u16, tab: Tab) {
        if let Some(table) = self.tables.get_mut(receipt_key) {
            table.free.insert(branch, tab);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_settle::TabId;

    fn tab(branch: u16) -> Tab {
        let id = TabId {
            purse: [1; 32],
            lane: 2,
            branch,
        };
        Tab::new(id, [3; 32])
    }

    #[test]
    fn the_lowest_free_branch_is_used_again_at_the_same_enclave_alone() {
        let mut branches = Branches::default();
        let (here, there) = ([3; 32], [4; 32]);
        assert_eq!(branches.take(&here), Some((0, None)));
        assert_eq!(branches.take(&here), Some((1, None)));
        assert_eq!(branches.take(&there), Some((0, None)));
        branches.give_back(&here, 1, tab(1));
        branches.give_back(&here, 0, tab(0));
        assert_eq!(branches.take(&here), Some((0, Some(tab(0)))));
        assert_eq!(branches.take(&there), Some((1, None)));
        assert_eq!(branches.take(&here), Some((1, Some(tab(1)))));
        assert_eq!(branches.take(&here), Some((2, None)));
        // An enclave that was never asked has no branches to give back.
        branches.give_back(&[5; 32], 9, tab(9));
        assert_eq!(branches.take(&[5; 32]), Some((0, None)));
    }

    #[test]
    fn two_processes_share_a_lane_by_ranges() {
        let mut branches = Branches::from(1000);
        assert_eq!(branches.take(&[3; 32]), Some((1000, None)));
        assert_eq!(branches.take(&[4; 32]), Some((1000, None)));
        assert_eq!(branches.take(&[3; 32]), Some((1001, None)));
    }

    #[test]
    fn there_are_65_536_branches() {
        let mut branches = Branches::default();
        for _ in 0..=u16::MAX {
            assert!(branches.take(&[0; 32]).is_some());
        }
        assert_eq!(branches.take(&[0; 32]), None);
    }
}
