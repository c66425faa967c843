//! The client against an enclave that lies: each lie ends in its own error, and not one byte of prompt leaves.

mod connection;
mod proxy;
mod saved;
mod stage;
