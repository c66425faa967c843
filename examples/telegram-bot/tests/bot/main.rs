//! The bot as its owner runs it, between a fake Telegram and a fake proxy.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod access;
mod chat;
mod crowds;
mod enclave;
mod fake;
mod life;
mod trouble;
mod voice;
