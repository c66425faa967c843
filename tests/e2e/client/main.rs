//! The client against an enclave that lies: each lie ends in its own error, and not one byte of prompt leaves.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it has to be"
)]

mod asked;
mod command_line;
mod connection;
mod issuer;
mod keys;
mod listed;
mod network;
mod network_line;
mod proxy;
mod receipts;
mod relayed;
mod saved;
mod stage;
mod term;
