//! What devices are verified against: who asks, what was asked, and what NVIDIA has signed about them.

use super::{ocsp::OcspAnswer, policy::GpuPolicy, roots::NvidiaRoots};
use crate::Time;

/// A machine's RIMs are two. Whoever keeps the whole catalogue picks by id: [`super::needs`].
pub const MAX_RIMS: usize = 16;

/// What a verifier brings besides the evidence: signed by NVIDIA, whoever carried it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpuCollateral {
    /// Reference manifests, XML. Those of other versions do no harm.
    pub rims: Vec<Vec<u8>>,
    /// OCSP answers.
    pub ocsp: Vec<OcspAnswer>,
}

/// What GPUs are verified against.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// What this verifier asked every one of them.
    pub nonce: &'a [u8; 32],
    /// Whose chains count.
    pub roots: &'a NvidiaRoots,
    /// What is known about them.
    pub collateral: &'a GpuCollateral,
    /// What is wanted.
    pub policy: &'a GpuPolicy,
    /// The time.
    pub now: Time,
}
