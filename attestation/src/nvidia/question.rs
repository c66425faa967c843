//! What devices are verified against: the verifier's question, and what NVIDIA has signed about them.

use super::{ocsp::OcspAnswer, policy::GpuPolicy, roots::NvidiaRoots};
use crate::{Memory, Time};

/// A machine needs two RIMs. To pick them by id from a whole catalogue, see [`super::needs`].
pub const MAX_RIMS: usize = 16;

/// What a verifier needs in addition to the evidence: signed by NVIDIA, so it does not matter who delivered it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpuCollateral {
    /// Reference manifests, XML. Manifests for other versions do no harm.
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
    /// Manifests and revocation answers.
    pub collateral: &'a GpuCollateral,
    /// What is wanted.
    pub policy: &'a GpuPolicy,
    /// The time.
    pub now: Time,
    /// What was verified before.
    pub memory: &'a Memory,
}
