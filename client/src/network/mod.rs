//! Who could answer: what the directories of a network list, who of them is asked, and what pays them (docs/spec/network.md).
//!
//! Nothing that a directory says is trusted. It can leave a provider out, or name one that is none; whose enclave it is, what it costs and
//! what it answered, evidence, quotes and receipts say.

mod book;
mod directories;
mod follower;
mod kept;
mod lanes;
mod source;
mod trouble;
mod web;

pub(crate) use self::lanes::Wanted;
pub use self::{
    book::{ClassView, Listed},
    directories::{Directories, Status},
    lanes::{Budget, Lanes, Open, Order, Purse},
    source::{Fetched, Getting, Source},
    trouble::Trouble,
    web::{Web, WebError},
};
