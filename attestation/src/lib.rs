#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod appraisal;
pub mod azure;
mod crypto;
pub mod encoding;
pub mod evidence;
mod memory;
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
pub use crypto::{BACKEND, BadSignature, verify_ed25519};
pub use encoding::utc::{Span, Time};
pub use evidence::Collateral;
pub use memory::Memory;
pub use policy::Waivers;
pub use rejection::Rejection;
pub use transcript::{Patience, Refusal};
pub use verdict::Verdict;
