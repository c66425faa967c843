//! What one answer of the chain says of a purse, as far as it concerns one payee.

use std::{collections::BTreeMap, fmt};

use chrysalis_chain::{
    Account,
    purse::{self, State},
};
use tycho_types::{cell::HashBytes, models::StdAddr};

/// Which lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LaneId {
    /// The purse's account in workchain 0.
    pub(crate) purse: [u8; 32],
    /// The lane's number.
    pub(crate) lane: u32,
}

/// A tab of a lane: the enclave's receipt key, and the branch.
pub(crate) type TabKey = ([u8; 32], u16);

impl LaneId {
    /// As the enclave asks. No contract has lane 0.
    pub(crate) fn read(purse: &[u8], lane: u32) -> Option<Self> {
        let purse = purse.try_into().ok()?;
        (lane != 0).then_some(Self { purse, lane })
    }

    /// The purse's address.
    pub(crate) fn address(&self) -> StdAddr {
        address(&self.purse)
    }
}

/// Short, for people: the account's first and last digits, and the lane.
impl fmt::Display for LaneId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex::encode(self.purse);
        let (first, last) = (digits.get(..6), digits.get(60..));
        write!(
            out,
            "0:{}…{}/{}",
            first.unwrap_or_default(),
            last.unwrap_or_default(),
            self.lane
        )
    }
}

/// A purse's address.
pub(crate) fn address(purse: &[u8; 32]) -> StdAddr {
    StdAddr::new(0, HashBytes(*purse))
}

/// A genuine purse, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    /// The logical time of its last transaction.
    pub(crate) lt: u64,
    /// Nano that it has less than it owes, because rent took them.
    pub(crate) short: u64,
    /// Tabs of all its lanes.
    pub(crate) tabs: usize,
    /// The payee's lanes.
    pub(crate) lanes: BTreeMap<u32, purse::Lane>,
}

impl Sight {
    /// Reads the account. `None`: no purse with our code that began empty on this chain, so nothing in it can be relied on.
    pub(crate) fn of(
        account: &Account,
        purse: &[u8; 32],
        payee: &StdAddr,
        network: i32,
    ) -> Option<Self> {
        let contract = account.contract.as_ref()?;
        let state = State::of(contract, &address(purse)).ok()?;
        if state.keys.network != network {
            return None;
        }
        let tabs = state.lanes.values().map(|lane| lane.tabs.len()).sum();
        let lanes = state.lanes.into_iter();
        Some(Self {
            lt: account.last.0,
            short: state.owed.saturating_sub(account.balance),
            tabs,
            lanes: lanes.filter(|(_, lane)| lane.payee == *payee).collect(),
        })
    }
}
