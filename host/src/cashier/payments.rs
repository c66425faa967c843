//! What reaches the payee's account: payouts, and notices that a lane closes.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Mutex,
};

use tycho_types::models::{IntAddr, MsgInfo, Transaction};

use super::lookout::{Lookout, MAX_TRANSACTIONS, Unseen};
use crate::mutex::held;

/// The first 32 bits of a notice that a lane closes (docs/spec/settle.md).
const LANE_CLOSES: u32 = 0x4c43_4c31;
/// The most payouts that wait for their claim to be seen as paid.
const MAX_KEPT: usize = 1024;

/// Follows the account.
#[derive(Default)]
pub(crate) struct Payments {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The logical time of the last transaction that was read.
    after: u64,
    payouts: VecDeque<Payout>,
}

/// Coins from a purse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Payout {
    purse: [u8; 32],
    value: u64,
    /// The logical time at which the purse sent it.
    lt: u64,
}

/// What came since the last time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Purses that say that a lane closes. Whether it does, the purse itself must be asked.
    pub(crate) closing: BTreeSet<[u8; 32]>,
    /// There may be more than could be read.
    pub(crate) gap: bool,
}

enum Arrived {
    Payout(Payout),
    Closing([u8; 32]),
}

impl Payments {
    /// Reads what is new. Only purses that `is_known` knows count: anyone can send anything to an account. Blocks.
    pub(crate) fn read(
        &self,
        lookout: &Lookout,
        is_known: impl Fn(&[u8; 32]) -> bool,
    ) -> Result<News, Unseen> {
        let after = held(&self.state).after;
        let transactions = lookout.payments(after)?;
        let mut state = held(&self.state);
        let mut news = News {
            gap: transactions.len() >= usize::from(MAX_TRANSACTIONS),
            ..News::default()
        };
        for transaction in transactions.iter().rev() {
            state.after = state.after.max(transaction.lt);
            match arrived(transaction) {
                Some(Arrived::Closing(purse)) if is_known(&purse) => {
                    news.closing.insert(purse);
                }
                Some(Arrived::Payout(payout)) if is_known(&payout.purse) => {
                    if state.payouts.len() >= MAX_KEPT {
                        state.payouts.pop_front();
                    }
                    state.payouts.push_back(payout);
                }
                _ => {}
            }
        }
        Ok(news)
    }

    /// What a claim cost that was sent after this logical time of the purse and for which the contract paid so much: what did not arrive
    /// of it. `None`: its payout was not seen.
    pub(crate) fn cost(&self, purse: &[u8; 32], paid: u64, lt: u64) -> Option<u64> {
        let payouts = &mut held(&self.state).payouts;
        let fits = |it: &Payout| it.purse == *purse && it.lt > lt && it.value < paid;
        let found = payouts.iter().enumerate().filter(|(_, it)| fits(it));
        let (at, _) = found.max_by_key(|(_, it)| it.value)?;
        let payout = payouts.remove(at)?;
        paid.checked_sub(payout.value)
    }
}

/// What a transaction brought, if a contract of workchain 0 sent it.
fn arrived(transaction: &Transaction) -> Option<Arrived> {
    let message = transaction.load_in_msg().ok()??;
    let MsgInfo::Int(info) = &message.info else {
        return None;
    };
    let IntAddr::Std(from) = &info.src else {
        return None;
    };
    if from.workchain != 0 || from.anycast.is_some() || info.bounced {
        return None;
    }
    let purse = from.address.0;
    let mut body = message.body;
    if body.is_data_empty() && body.is_refs_empty() {
        let value = u64::try_from(info.value.tokens.into_inner()).ok()?;
        let lt = info.created_lt;
        return Some(Arrived::Payout(Payout { purse, value, lt }));
    }
    (body.load_u32().ok()? == LANE_CLOSES).then_some(Arrived::Closing(purse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payout_belongs_to_the_claim_that_it_fits_best() {
        let payments = Payments::default();
        let payout = |purse: u8, value, lt| Payout {
            purse: [purse; 32],
            value,
            lt,
        };
        let payouts = [
            payout(1, 94, 11),
            payout(1, 40, 12),
            payout(2, 99, 13),
            payout(1, 95, 9),
        ];
        held(&payments.state).payouts.extend(payouts);
        // Not that of another purse, nor one from before.
        assert_eq!(payments.cost(&[1; 32], 100, 10), Some(6));
        assert_eq!(payments.cost(&[1; 32], 46, 10), Some(6));
        assert_eq!(payments.cost(&[1; 32], 46, 10), None);
    }
}
