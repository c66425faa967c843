#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod account;
mod dialect;
mod rules;
mod server;
mod stack;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use tycho_executor::{Executor, TxError};
use tycho_types::{
    cell::{Cell, CellBuilder, CellFamily, HashBytes, Lazy},
    models::{
        Account, AccountState, CurrencyCollection, ExtInMsgInfo, IntAddr, IntMsgInfo, Message,
        MsgInfo, OwnedMessage, StdAddr, Transaction,
    },
};

use account::Held;
use rules::Rules;

pub use rules::Got;
pub use server::{run, start};

/// Where the faucet's coins come from.
const FAUCET: StdAddr = StdAddr::new(0, HashBytes([0xFA; 32]));
/// Logical time between two transactions.
const TICK: u64 = 1_000_000;

/// The chain.
pub struct Local {
    rules: Rules,
    /// Unix seconds.
    clock: u32,
    lt: u64,
    /// Messages that were taken.
    taken: u64,
    accounts: HashMap<StdAddr, Held>,
}

/// Why a message from outside changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Not a message from outside to an account of workchain 0.
    #[error("this is no message from outside to an account of workchain 0: {0}")]
    Malformed(String),
    /// There is no contract at this address.
    #[error("there is no contract at this address")]
    NoContract,
    /// The contract did not accept it.
    #[error("the contract refused it with exit code {0}")]
    Refused(i32),
}

impl Local {
    /// An empty chain at this time.
    pub fn new(clock: u32) -> Self {
        Self {
            rules: Rules::new(),
            clock,
            lt: TICK,
            taken: 0,
            accounts: HashMap::new(),
        }
    }

    /// Unix seconds on the chain.
    pub fn clock(&self) -> u32 {
        self.clock
    }

    /// Sets the clock, never back. It stands still otherwise.
    pub fn set_clock(&mut self, clock: u32) {
        self.clock = self.clock.max(clock);
    }

    /// The account, if anything was ever sent to it.
    pub fn account(&self, address: &StdAddr) -> Option<Account> {
        self.accounts.get(address).and_then(Held::account)
    }

    /// Its transactions, the oldest first.
    pub fn transactions(&self, address: &StdAddr) -> &[Lazy<Transaction>] {
        self.accounts
            .get(address)
            .map_or(&[], |held| &held.transactions)
    }

    /// Its last transaction's logical time and hash; zero without one.
    fn last(&self, address: &StdAddr) -> (u64, HashBytes) {
        let state = self.accounts.get(address).map(|held| &held.state);
        state.map_or((0, HashBytes::ZERO), |state| {
            (state.last_trans_lt, state.last_trans_hash)
        })
    }

    /// Nano that came out of nothing.
    pub fn give(&mut self, to: &StdAddr, nano: u64) {
        let info = IntMsgInfo {
            ihr_disabled: true,
            bounce: false,
            bounced: false,
            src: FAUCET.into(),
            dst: to.clone().into(),
            value: CurrencyCollection::new(nano.into()),
            created_lt: self.lt,
            created_at: self.clock,
            ..IntMsgInfo::default()
        };
        let message = Message {
            info: MsgInfo::Int(info),
            init: None,
            body: Cell::empty_cell_ref().as_slice_allow_exotic(),
            layout: None,
        };
        let message = CellBuilder::build_from(message).expect("a message without a body");
        self.settle(to, message);
    }

    /// Takes a message from outside, and does all that follows from it.
    pub fn send(&mut self, message: Cell) -> Result<(), NotTaken> {
        let malformed = |why: &dyn ToString| NotTaken::Malformed(why.to_string());
        let parsed: OwnedMessage = message.parse().map_err(|error| malformed(&error))?;
        let MsgInfo::ExtIn(ExtInMsgInfo {
            dst: IntAddr::Std(to),
            ..
        }) = &parsed.info
        else {
            return Err(malformed(
                &"it comes from inside, or its address is not a standard one",
            ));
        };
        if to.workchain != 0 || to.anycast.is_some() {
            return Err(malformed(&"another workchain"));
        }
        match self.execute(to, message.clone(), true) {
            Some(sent) => {
                self.taken = self.taken.saturating_add(1);
                self.deliver(sent);
                Ok(())
            }
            None => Err(self.why(to, message)),
        }
    }

    /// Calls a get-method as of now.
    pub fn call(
        &self,
        address: &StdAddr,
        method: &str,
        arguments: Vec<tycho_vm::RcStackValue>,
    ) -> Option<Got> {
        let account = self.account(address)?;
        self.rules.call(&account, method, arguments, self.clock)
    }

    /// Why a message from outside was not accepted.
    fn why(&self, to: &StdAddr, message: Cell) -> NotTaken {
        let Some(mut account) = self.account(to) else {
            return NotTaken::NoContract;
        };
        // The first message brings what the account is to run.
        let init = message.parse::<OwnedMessage>().ok().and_then(|it| it.init);
        let init = init.filter(|init| {
            CellBuilder::build_from(init).is_ok_and(|cell| *cell.repr_hash() == to.address)
        });
        if let (AccountState::Uninit, Some(init)) = (&account.state, init) {
            account.state = AccountState::Active(init);
        }
        self.rules
            .refusal(&account, message, self.clock)
            .map_or(NotTaken::NoContract, NotTaken::Refused)
    }

    fn settle(&mut self, to: &StdAddr, message: Cell) {
        if let Some(sent) = self.execute(to, message, false) {
            self.deliver(sent);
        }
    }

    /// Delivers what was sent, and what is sent thereupon.
    fn deliver(&mut self, sent: Vec<Lazy<OwnedMessage>>) {
        let mut queue = VecDeque::from(sent);
        while let Some(message) = queue.pop_front() {
            let parsed = message.load().expect("a message that was just made");
            if let MsgInfo::Int(IntMsgInfo {
                dst: IntAddr::Std(to),
                ..
            }) = &parsed.info
            {
                queue.extend(
                    self.execute(to, message.into_inner(), false)
                        .unwrap_or_default(),
                );
            }
        }
    }

    /// One transaction, and the messages that it sends. `None`: there was none.
    fn execute(
        &mut self,
        to: &StdAddr,
        message: Cell,
        external: bool,
    ) -> Option<Vec<Lazy<OwnedMessage>>> {
        self.lt = self.lt.saturating_add(TICK);
        let params = Rules::params(self.clock, self.lt);
        let held = self.accounts.entry(to.clone()).or_default();
        let executor = Executor::new(&params, self.rules.parsed()).with_min_lt(self.lt);
        let output = match executor.begin_ordinary(to, external, message, &held.state) {
            Ok(transaction) => transaction.commit().ok()?,
            // Not accepted, or nothing that the executor can read: nothing happens.
            Err(TxError::Skipped | TxError::Fatal(_)) => return None,
        };
        self.lt = self.lt.max(output.transaction_meta.next_lt);
        held.state = output.new_state;
        held.transactions.push(output.transaction);
        Some(output.transaction_meta.out_msgs)
    }
}
