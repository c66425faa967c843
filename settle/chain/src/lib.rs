//! Where it is paid: purses on a chain of the TON kind.
#![forbid(unsafe_code)]

mod chain;
pub mod local;
pub mod purse;
mod toncenter;

pub use chain::{Account, Chain, ChainError, Contract};
pub use toncenter::Toncenter;
