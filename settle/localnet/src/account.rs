//! What the chain holds of one account.

use tycho_types::{
    cell::{HashBytes, Lazy},
    models::{Account, OptionalAccount, ShardAccount, Transaction},
};

/// Its state and its history.
pub(super) struct Held {
    pub(super) state: ShardAccount,
    /// The oldest first.
    pub(super) transactions: Vec<Lazy<Transaction>>,
}

impl Held {
    /// The account, if it exists.
    pub(super) fn account(&self) -> Option<Account> {
        self.state.account.load().ok()?.0
    }
}

impl Default for Held {
    fn default() -> Self {
        Self {
            state: ShardAccount {
                account: Lazy::new(&OptionalAccount(None)).expect("one bit fits into a cell"),
                last_trans_hash: HashBytes::ZERO,
                last_trans_lt: 0,
            },
            transactions: Vec::new(),
        }
    }
}
