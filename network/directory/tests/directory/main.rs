//! A directory from outside: what it takes, what it refuses and why, and what it publishes.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

mod admission;
mod http;
mod ledger;
mod load;
#[cfg(feature = "postgres")]
mod postgres;
mod program;
mod publication;
mod reports;
mod world;
