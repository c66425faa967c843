//! Verifies confidential-computing evidence: bytes in, verdict out. No network, no clock, no async, no unsafe.
//!
//! Evidence walks one way, and each step consumes the one before:
//!
//! ```text
//! Unverified ──authenticate──▶ Authentic ──bind──▶ Bound ──appraise──▶ Trusted
//!             is it genuine?             this channel?     what I want?
//! ```
//!
//! Roots, collateral, the time and the policy are arguments. Every check lands in the [`verdict::Transcript`] as
//! passed, failed or not checked; what was not checked rejects unless the policy gives a reason.

#![forbid(unsafe_code)]

pub mod binding;
pub mod bundle;
pub mod claims;
pub mod digest;
pub mod policy;
mod read;
pub mod rejection;
pub mod roots;
pub mod snp;
mod stages;
mod utc;
pub mod verdict;

pub use rejection::Rejection;
pub use stages::{Authentic, Bound, Collateral, Trusted, Unverified};
pub use utc::Time;
