//! A purse on the local chain, with everybody's keys.

use std::cell::Cell as Counter;

use chrysalis_chain::{
    Address, Cell, LOCAL_ID,
    purse::{self, Action, Claim, Keys, Lock, Order, State},
};
use chrysalis_localnet::{Local, NotTaken};
use chrysalis_settle::{Credential, Statement, TabId, Tag};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tycho_types::models::AccountState;

/// One GRAM.
pub(crate) const GRAM: u64 = 1_000_000_000;
/// Half of a day's quarter, in seconds.
pub(crate) const SIX_HOURS: u32 = 21_600;

/// The key of a seed that has this byte 32 times.
pub(crate) fn key(byte: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[byte; 32]).unwrap()
}

pub(crate) fn public(key: &Ed25519KeyPair) -> [u8; 32] {
    key.public_key().as_ref().try_into().unwrap()
}

pub(crate) fn sign(key: &Ed25519KeyPair, digest: &[u8; 32]) -> [u8; 64] {
    key.sign(digest).as_ref().try_into().unwrap()
}

/// An account of workchain 0.
pub(crate) fn account(byte: u8) -> Address {
    Address::new(0, [byte; 32].into())
}

/// A purse and its owner's key. It counts its own orders.
pub(crate) struct Purse {
    pub(crate) keys: Keys,
    pub(crate) address: Address,
    owner: Ed25519KeyPair,
    pub(crate) seqno: Counter<u32>,
}

impl Purse {
    pub(crate) fn new(salt: u64) -> Self {
        let owner = key(1);
        let keys = Keys {
            owner: public(&owner),
            home: account(0x77),
            network: LOCAL_ID,
            salt,
        };
        Self {
            address: keys.address(),
            keys,
            owner,
            seqno: Counter::new(0),
        }
    }

    /// The message of the next order.
    pub(crate) fn order(&self, chain: &Local, action: Action) -> Cell {
        let order = Order {
            purse: self.address.address.0,
            seqno: self.seqno.get(),
            valid_until: chain.clock() + 60,
            action,
        };
        let body = order.signed(&sign(&self.owner, &order.cell().repr_hash().0));
        let init = (self.seqno.get() == 0).then(|| self.keys.state_init());
        purse::message(&self.address, init, &body)
    }

    /// Has the chain take an order.
    pub(crate) fn orders(&self, chain: &mut Local, action: Action) -> Result<(), NotTaken> {
        let message = self.order(chain, action);
        chain.send(message)?;
        self.seqno.set(self.seqno.get() + 1);
        Ok(())
    }

    /// Locks money for the payee with this byte, under the spend key with this byte.
    pub(crate) fn lock(
        &self,
        chain: &mut Local,
        amount: u64,
        payee: u8,
        spend: u8,
    ) -> Result<u32, NotTaken> {
        let lock = Lock {
            lane: 0,
            payee: account(payee),
            amount,
            close_delay: SIX_HOURS,
            spend_key: public(&key(spend)),
        };
        self.orders(chain, Action::Lock(lock))?;
        let lanes = self.state(chain).unwrap().lanes;
        Ok(*lanes.last_key_value().unwrap().0)
    }

    /// What it holds, once it was deployed.
    pub(crate) fn state(&self, chain: &Local) -> Option<State> {
        match chain.account(&self.address)?.state {
            AccountState::Active(state) => Some(State::read(&state.data?).unwrap()),
            _ => None,
        }
    }

    pub(crate) fn balance(&self, chain: &Local) -> u64 {
        balance(chain, &self.address)
    }

    /// The message of a claim, with both signatures by these keys.
    pub(crate) fn claim(
        &self,
        tab: (u32, u16),
        cap: u64,
        cumulative: u64,
        spend: u8,
        enclave: u8,
    ) -> Cell {
        let id = TabId {
            purse: self.address.address.0,
            lane: tab.0,
            branch: tab.1,
        };
        let (spend, enclave) = (key(spend), key(enclave));
        let receipt_key = public(&enclave);
        let mut credential = Credential {
            tab: id,
            cap,
            signature: [0; 64],
        };
        credential.signature = sign(&spend, &credential.statement(&receipt_key).digest());
        let head = [9; 32];
        let receipt = Statement {
            tag: Tag::Receipt,
            tab: id,
            amount: cumulative,
            last: head,
        };
        let claim = Claim {
            credential,
            receipt_key,
            cumulative,
            head,
            signature: sign(&enclave, &receipt.digest()),
        };
        purse::message(&self.address, None, &claim.cell())
    }
}

/// Nano at an address.
pub(crate) fn balance(chain: &Local, address: &Address) -> u64 {
    chain.account(address).map_or(0, |account| {
        account.balance.tokens.into_inner().try_into().unwrap()
    })
}
