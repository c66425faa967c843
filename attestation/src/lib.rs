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
//! passed, failed or not checked. Revocation, freshness and the chip's identity reject when they were not checked, unless the
//! policy gives a reason; a pin that the policy leaves open is listed as such.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod appraise;
pub mod azure;
pub mod base64;
pub mod binding;
pub mod bundle;
mod cbor;
pub mod claims;
mod cpu;
mod crypto;
mod der;
pub mod digest;
mod inspection;
pub mod nvidia;
pub mod pem;
pub mod policy;
mod read;
pub mod rejection;
pub mod release;
pub mod roots;
pub mod snp;
mod stages;
pub mod tdx;
mod utc;
pub mod verdict;
mod x509;

pub use appraise::Waivers;
pub use cpu::Cpu;
pub use crypto::BACKEND;
pub use inspection::Patience;
pub use rejection::Rejection;
pub use stages::{
    Authentic, Bound, Collateral, Explained, Genuine, Peer, Question, Trusted, Unbound, Unverified,
};
pub use utc::{Span, Time};
pub use verdict::{Refusal, Verdict};
