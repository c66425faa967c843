//! Verifies confidential-computing evidence: bytes in, verdict out. No network, no clock, no async, no unsafe.
//!
//! Evidence walks one way, and each step consumes the one before:
//!
//! ```text
//! Unverified ──authenticate──▶ Authentic ──bind──▶ Bound ──appraise──▶ Trusted
//!             is it genuine?             this channel?     what I want?
//! ```
//!
//! Roots, collateral, the time and the policy are arguments. Every check lands in the [`transcript::Transcript`] as
//! passed, failed or not checked. If revocation, freshness or the chip's identity was not checked, the evidence is rejected unless the
//! policy gives a reason; a pin that the policy leaves open is listed as such.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod appraisal;
pub mod azure;
mod crypto;
pub mod encoding;
pub mod evidence;
pub mod nvidia;
pub mod policy;
pub mod rejection;
pub mod release;
pub mod roots;
pub mod snp;
pub mod tdx;
pub mod transcript;
pub mod verdict;

pub use appraisal::{
    Authentic, Bound, Found, Genuine, Peer, Question, Trusted, Unbound, Unverified, alone, cpu::Cpu,
};
pub use crypto::BACKEND;
pub use encoding::utc::{Span, Time};
pub use evidence::Collateral;
pub use policy::Waivers;
pub use rejection::Rejection;
pub use transcript::{Patience, Refusal};
pub use verdict::Verdict;
