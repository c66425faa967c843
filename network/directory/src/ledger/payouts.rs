//! What the chain paid operators: coins that reached their payees from accounts with the purse's code. Whoever answers for the chain can lie
//! about it; nothing but the page depends on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use chrysalis_chain::{Address, Chain, ChainError, Transaction};
use tycho_types::{
    cell::HashBytes,
    models::{IntAddr, MsgInfo},
};

/// The least time between two questions.
const GAP: Duration = Duration::from_millis(200);
/// The pause after each payee was asked for once.
const ROUND: Duration = Duration::from_secs(5);
/// The most transactions of one answer.
const MOST: u16 = 100;
/// The most payees that are followed.
const MAX_PAYEES: usize = 20_000;
/// The most senders that are remembered.
const MAX_SENDERS: usize = 100_000;
/// Bytes of one payee in the database.
const ROW: usize = 32 + 8 + 8 + 1;

/// Follows payees' accounts.
#[derive(Clone)]
pub struct Payouts(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    payees: BTreeMap<[u8; 32], Paid>,
    changed: bool,
}

/// What one payee was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Nano.
    pub nano: u64,
    /// Whether nothing was left out: a chain tells no more than some transactions at a time.
    pub whole: bool,
    /// The logical time of the last transaction that was read.
    after: u64,
}

impl Default for Paid {
    fn default() -> Self {
        Self {
            nano: 0,
            whole: true,
            after: 0,
        }
    }
}

impl Payouts {
    /// Follows them for as long as the program runs, on a thread of its own. `purse` is the hash of the purse's code.
    pub fn follow(chain: impl Chain + Send + 'static, purse: [u8; 32]) -> Self {
        let payouts = Self(Arc::default());
        let ours = payouts.clone();
        thread::spawn(move || {
            let mut senders = Senders::new(purse);
            loop {
                // A chain that does not answer is asked again with the next round.
                let _ = ours.round(&chain, &mut senders, GAP);
                thread::sleep(ROUND);
            }
        });
        payouts
    }

    /// One that asks nothing by itself.
    pub fn idle() -> Self {
        Self(Arc::default())
    }

    /// Asks once for each payee.
    pub fn round(
        &self,
        chain: &impl Chain,
        senders: &mut Senders,
        gap: Duration,
    ) -> Result<(), ChainError> {
        let payees: Vec<_> = self.state().payees.keys().copied().collect();
        for payee in payees {
            let mut paid = self.of(&payee).unwrap_or_default();
            let before = paid;
            let read = paid.read(chain, &payee, senders, gap);
            if paid != before {
                let mut state = self.state();
                state.payees.insert(payee, paid);
                state.changed = true;
            }
            read?;
            thread::sleep(gap);
        }
        Ok(())
    }

    /// What a payee was paid, once it is followed.
    pub fn of(&self, payee: &[u8; 32]) -> Option<Paid> {
        self.state().payees.get(payee).copied()
    }

    /// Follows these as well.
    pub fn want(&self, payees: BTreeSet<[u8; 32]>) {
        let mut state = self.state();
        for payee in payees {
            if state.payees.len() < MAX_PAYEES {
                state.payees.entry(payee).or_default();
            }
        }
    }

    /// What is to be kept, if it changed.
    pub(super) fn note(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        if !std::mem::take(&mut state.changed) {
            return None;
        }
        let mut bytes = Vec::with_capacity(state.payees.len() * ROW);
        for (payee, paid) in &state.payees {
            bytes.extend(payee);
            bytes.extend(paid.after.to_be_bytes());
            bytes.extend(paid.nano.to_be_bytes());
            bytes.push(paid.whole.into());
        }
        Some(bytes)
    }

    /// What was kept.
    pub(super) fn remember(&self, bytes: &[u8]) {
        let mut state = self.state();
        let (rows, _) = bytes.as_chunks::<ROW>();
        for row in rows {
            let read = (|| {
                let (payee, row) = row.split_first_chunk()?;
                let (after, row) = row.split_first_chunk()?;
                let (nano, row) = row.split_first_chunk()?;
                let paid = Paid {
                    after: u64::from_be_bytes(*after),
                    nano: u64::from_be_bytes(*nano),
                    whole: row == [1],
                };
                Some((*payee, paid))
            })();
            state.payees.extend(read);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of it is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which accounts are purses. A purse's code never changes, and an account that sent coins before it was one is none.
pub struct Senders {
    purse: [u8; 32],
    known: BTreeMap<[u8; 32], bool>,
}

impl Senders {
    /// Of purses whose code has this hash.
    pub fn new(purse: [u8; 32]) -> Self {
        Self {
            purse,
            known: BTreeMap::new(),
        }
    }

    fn is_purse(
        &mut self,
        chain: &impl Chain,
        sender: &[u8; 32],
        gap: Duration,
    ) -> Result<bool, ChainError> {
        if let Some(known) = self.known.get(sender) {
            return Ok(*known);
        }
        thread::sleep(gap);
        let contract = chain.account(&address(sender))?.contract;
        let found = contract.is_some_and(|it| it.code.repr_hash().0 == self.purse);
        if self.known.len() >= MAX_SENDERS {
            self.known.clear();
        }
        self.known.insert(*sender, found);
        Ok(found)
    }
}

impl Paid {
    /// Reads on. What was not read because the chain did not answer is read the next time.
    fn read(
        &mut self,
        chain: &impl Chain,
        payee: &[u8; 32],
        senders: &mut Senders,
        gap: Duration,
    ) -> Result<(), ChainError> {
        let transactions = chain.transactions(&address(payee), self.after, MOST)?;
        if transactions.len() >= usize::from(MOST) {
            self.whole = false;
        }
        for transaction in transactions.iter().rev() {
            if let Some((sender, nano)) = payout(transaction)
                && senders.is_purse(chain, &sender, gap)?
            {
                self.nano = self.nano.saturating_add(nano);
            }
            self.after = self.after.max(transaction.lt);
        }
        Ok(())
    }
}

fn address(account: &[u8; 32]) -> Address {
    Address::new(0, HashBytes(*account))
}

/// Who sent how much with an empty message, as purses pay.
fn payout(transaction: &Transaction) -> Option<([u8; 32], u64)> {
    let message = transaction.load_in_msg().ok()??;
    let MsgInfo::Int(info) = &message.info else {
        return None;
    };
    let IntAddr::Std(from) = &info.src else {
        return None;
    };
    let is_empty = message.body.is_data_empty() && message.body.is_refs_empty();
    if from.workchain != 0 || from.anycast.is_some() || info.bounced || !is_empty {
        return None;
    }
    let nano = u64::try_from(info.value.tokens.into_inner()).ok()?;
    Some((from.address.0, nano))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_paid_survives_a_restart() {
        let payouts = Payouts::idle();
        payouts.want(BTreeSet::from([[1; 32], [2; 32]]));
        assert_eq!(payouts.note(), None);
        let paid = Paid {
            nano: 7,
            whole: false,
            after: 9,
        };
        payouts.state().payees.insert([2; 32], paid);
        payouts.state().changed = true;
        let noted = payouts.note().unwrap();
        let again = Payouts::idle();
        again.remember(&noted);
        assert_eq!(again.of(&[1; 32]), Some(Paid::default()));
        assert_eq!(again.of(&[2; 32]), Some(paid));
        assert_eq!(again.of(&[3; 32]), None);
    }
}
