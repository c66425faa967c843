//! A chain, as those who pay and are paid ask it.

use tycho_types::{
    cell::{Cell, HashBytes},
    models::{StdAddr, Transaction},
};

/// The global id of chains that somebody started on their own machine (`chrysalis-localnet`): nothing there is worth anything, and nothing
/// that is signed for them counts anywhere else.
pub const LOCAL_ID: i32 = i32::from_be_bytes(*b"CHRY");

/// Answers about accounts, and takes messages to them. Nothing that it says is proved: before you act on it, ask twice, or ask more than one.
pub trait Chain {
    /// The account as it is now.
    fn account(&self, address: &StdAddr) -> Result<Account, ChainError>;

    /// Sends a message from outside. That it was sent does not mean that it was taken: look at the account afterwards, and send it again
    /// until it shows. Orders and claims count once, however often they come.
    fn send(&self, message: &Cell) -> Result<(), ChainError>;

    /// The account's transactions after this logical time, at most `most`, the newest first.
    fn transactions(
        &self,
        address: &StdAddr,
        after: u64,
        most: u16,
    ) -> Result<Vec<Transaction>, ChainError>;

    /// Its global id: −239 is the main network's.
    fn global_id(&self) -> Result<i32, ChainError>;
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Nano.
    pub balance: u64,
    /// What it runs and remembers; `None`: nothing was ever deployed there, or it is frozen.
    pub contract: Option<Contract>,
    /// Its last transaction's logical time and hash; zero without one.
    pub last: (u64, HashBytes),
    /// Unix seconds at which the chain was like this.
    pub at: u32,
}

/// What an account runs and remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Its program.
    pub code: Cell,
    /// What it remembers.
    pub data: Cell,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Nothing came back, however often it was tried.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// The address that was tried.
        address: String,
        /// What the network, or the other side, said.
        why: String,
    },
    /// The account does not accept the message, as it is now.
    #[error("the message is refused{}", .exit_code.map_or(String::new(), |code| format!(" with exit code {code}")))]
    Refused {
        /// The contract's exit code, if it was told.
        exit_code: Option<i32>,
    },
    /// Several servers were asked, and no two of them say the same.
    #[error("the chain's servers do not agree")]
    Disagree,
    /// The other side does not answer like a chain.
    #[error("{address} does not answer like toncenter: {what}")]
    Malformed {
        /// The address that answered.
        address: String,
        /// What is wrong.
        what: String,
    },
}

impl ChainError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "chain_unreachable",
            Self::Refused { .. } => "message_refused",
            Self::Disagree => "chain_disagrees",
            Self::Malformed { .. } => "chain_malformed",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "check the address and the network, or name another with --chain; without a key toncenter answers once a second"
            }
            Self::Disagree => {
                "wait, as one may be behind; if it stays so, ask each of them alone and leave out the one that lies"
            }
            Self::Refused { .. } => "docs/spec/settle.md says what each exit code means",
            Self::Malformed { .. } => {
                "check that the address is that of toncenter's HTTP interface, version 2, and ends in /api/v2"
            }
        }
    }
}
