#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod address;
pub mod amount;
mod chain;
pub mod purse;
mod rent;
pub mod server;
mod several;
mod toncenter;

pub use chain::{Account, Chain, ChainError, Contract, LOCAL_ID};
pub use several::Several;
pub use toncenter::Toncenter;
pub use tycho_types::{
    cell::Cell,
    models::{StdAddr as Address, Transaction},
};
