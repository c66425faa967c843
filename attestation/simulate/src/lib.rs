//! Simulated vendors: fake roots that sign real structures, for the simulated platform and for the tests.
//!
//! [`Amd`], [`Intel`] and [`Nvidia`] each sign what the real one signs, in its formats, and the verifier reads them with the very
//! same code. Every part can be changed before it is signed, which is what tests of refusals need.
//!
//! Trusts nothing, and is not trusted unless a policy names its root. The keys, or their seed, are plain files: anyone who reads them
//! can sign any report, so evidence that rests on them proves that the protocol works, but nothing about hardware.
//! Every certificate says [`ORGANISATION`], and every verdict that rests on one says `simulated`.

#![forbid(unsafe_code)]

mod amd;
pub mod azure;
mod certificate;
mod error;
pub mod intel;
mod key;
mod launch;
mod line;
pub mod nvidia;
mod revocation;
mod seed;
pub mod service;
mod signer;
mod signing;
mod store;
mod tlv;
mod x509;

pub use amd::Amd;
pub use certificate::{AskProfile, ORGANISATION, VcekProfile};
pub use error::SimulateError;
pub use intel::Intel;
pub use key::Curve;
pub use launch::Launch;
pub use line::{ASK_SERIAL, TCB};
pub use nvidia::Nvidia;
pub use revocation::CrlProfile;
pub use signer::{Profile, Purpose, Signer};
pub use signing::PssParameters;
pub use x509::Form;
