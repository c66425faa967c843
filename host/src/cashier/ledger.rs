//! All that the database knows, as a round needs it: what is due where, and which purses are to be looked up.

use std::collections::BTreeMap;

use super::{
    book::{self, Book, claims::Sent, lanes::Lane, tabs::Tab},
    lane::{LaneId, TabKey},
    rule::{Due, Fees, Haste},
};

/// How often a lane is looked up: while it closes, while something is due on it, and otherwise. In seconds.
const CLOSING: i64 = 60;
const OWING: i64 = 300;
const IDLE: i64 = 3600;
/// For how long a claim that was sent is looked for in every round.
const FRESH: i64 = 120;
/// For how long a lane that is gone is looked up: that it is may be a lie.
const GONE: i64 = 2 * 24 * 3600;

/// All lanes together, in nano.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// How many there are.
    pub(crate) lanes: u64,
    pub(crate) owed: u64,
    pub(crate) paid: u64,
    pub(crate) due: u64,
    /// Of what is due, what claims under way should bring.
    pub(crate) claimed: u64,
}

/// What is known of every lane.
pub(crate) struct Ledger {
    pub(crate) purses: BTreeMap<[u8; 32], Purse>,
    open: BTreeMap<(LaneId, TabKey), Sent>,
}

/// A purse's lanes, and what is owed on them.
pub(crate) struct Purse {
    pub(crate) lanes: Vec<(Lane, Vec<Tab>)>,
    /// What a claim costs.
    cost: u64,
}

impl Ledger {
    pub(crate) fn read(book: &Book, fees: Fees) -> book::Result<Self> {
        let mut tabs: BTreeMap<LaneId, Vec<Tab>> = BTreeMap::new();
        for tab in book.tabs(None)? {
            tabs.entry(tab.entry.lane).or_default().push(tab);
        }
        let mut purses: BTreeMap<_, Purse> = BTreeMap::new();
        for lane in book.lanes()? {
            let cost = book.last_cost(&lane.id.purse)?.unwrap_or(fees.cost);
            let purse = purses.entry(lane.id.purse).or_insert_with(|| Purse {
                lanes: Vec::new(),
                cost,
            });
            let tabs = tabs.remove(&lane.id).unwrap_or_default();
            purse.lanes.push((lane, tabs));
        }
        let open = book.open_claims()?.into_iter();
        Ok(Self {
            purses,
            open: open.map(|sent| ((sent.lane, sent.key), sent)).collect(),
        })
    }

    /// Whether one of the purse's lanes is to be looked up.
    pub(crate) fn is_due(&self, purse: &Purse, fees: Fees, now: i64) -> bool {
        purse.lanes.iter().any(|(lane, tabs)| {
            let waited = now.saturating_sub(lane.checked_at);
            if let Some(since) = lane.gone_at {
                return now.saturating_sub(since) < GONE && waited >= IDLE;
            }
            let haste = match lane.closes_at {
                0 => Haste::None,
                _ => Haste::Pressing,
            };
            let mut every = if haste == Haste::None { IDLE } else { CLOSING };
            for (tab, nano) in dues(lane, lane.locked, tabs) {
                if nano > 0 {
                    every = every.min(OWING);
                }
                let is_now = match self.open.get(&(lane.id, tab.entry.key)) {
                    Some(sent) => sent.again_at <= now || now.saturating_sub(sent.at) < FRESH,
                    None => due(tab, nano, now).is_worth_it(fees, purse.cost, haste),
                };
                if is_now {
                    return true;
                }
            }
            waited >= every || waited < 0
        })
    }

    /// All lanes together.
    pub(crate) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for (lane, tabs) in self.purses.values().flat_map(|purse| &purse.lanes) {
            sums.lanes = sums.lanes.saturating_add(1);
            for (tab, due) in dues(lane, lane.locked, tabs) {
                sums.owed = sums.owed.saturating_add(tab.entry.owed());
                sums.paid = sums.paid.saturating_add(tab.paid);
                if lane.gone_at.is_none() {
                    sums.due = sums.due.saturating_add(due);
                }
            }
        }
        let claimed = self.open.values().map(|sent| sent.due);
        sums.claimed = claimed.fold(0, u64::saturating_add);
        sums
    }
}

/// What a claim on each tab would bring, the most first: they share what is left in the lane.
pub(crate) fn dues<'t>(lane: &Lane, locked: u64, tabs: &'t [Tab]) -> Vec<(&'t Tab, u64)> {
    let mut left = locked.saturating_sub(lane.paid);
    let due = |tab: &Tab| tab.entry.owed().saturating_sub(tab.paid);
    let mut tabs: Vec<&Tab> = tabs.iter().collect();
    tabs.sort_by_key(|tab| std::cmp::Reverse((due(tab), tab.entry.key)));
    let share = |tab| {
        let due = due(tab).min(left);
        left = left.saturating_sub(due);
        (tab, due)
    };
    tabs.into_iter().map(share).collect()
}

/// The same of one tab, as the rule wants it.
pub(crate) fn due(tab: &Tab, nano: u64, now: i64) -> Due {
    Due {
        nano,
        waited: now.saturating_sub(tab.paid_at.unwrap_or(tab.first_seen)),
        refused: (tab.refused_due, now.saturating_sub(tab.refused_at)),
    }
}
