//! The verifier's guards, and the tests run with each of them off.
//!
//! A guard is a condition, or a step, without which something would be accepted that must not be. The list in `guards` quotes each
//! from the source of `chrysalis-attestation`. A copy of the tree is built once, with a switch at every guard; then the tests run once
//! for each guard, with that one off. A guard that no test misses has survived: nothing would tell if somebody removed it.
//!
//! Nothing here changes the tree that it is run in. docs/reference/mutants.md says how to use it.

#![forbid(unsafe_code)]

pub mod build;
pub mod guard;
mod pulse;
pub mod run;
pub mod source;
pub mod tree;
