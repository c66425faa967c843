//! The room itself, with a hostile engine in it: what opens, what it can take, and how it ends. Needs root; skipped without.
#![allow(clippy::unwrap_used, reason = "a fault of a test fails it")]

mod bounds;
mod doors;
mod ends;
mod fixture;
mod preparing;
mod refusals;
mod secrets;
mod services;
