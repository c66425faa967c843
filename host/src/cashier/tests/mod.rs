//! The cashier against the local chain, and against a server between them that lies, is late, or is not there.

mod claims;
mod commands;
mod disk;
mod lanes;
mod liar;
mod owed;
mod run;
mod storm;
pub(in crate::cashier) mod world;
