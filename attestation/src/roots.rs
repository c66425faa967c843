//! Trust anchors: those of the three vendors, each pinned by its whole DER, and simulated ones that a policy names.

use crate::{nvidia, snp, tdx};

/// The anchors that a verifier accepts, each for the evidence of its own kind.
#[derive(Debug, Clone)]
pub struct Roots {
    /// For SEV-SNP reports.
    pub amd: snp::AmdRoots,
    /// For TDX quotes.
    pub intel: tdx::IntelRoots,
    /// For GPUs, and for what is published about them.
    pub nvidia: nvidia::NvidiaRoots,
}

impl Roots {
    /// AMD's, Intel's and NVIDIA's. No simulation.
    pub fn vendors() -> Self {
        Self {
            amd: snp::AmdRoots::amd(),
            intel: tdx::IntelRoots::intel(),
            nvidia: nvidia::NvidiaRoots::nvidia(),
        }
    }

    /// Also accepts the simulated root whose DER has this SHA-256, whichever vendor it simulates. Verdicts that rest on it
    /// say `simulated`.
    #[must_use]
    pub fn and_simulated(self, sha256: [u8; 32]) -> Self {
        Self {
            amd: self.amd.and_simulated(sha256),
            intel: self.intel.and_simulated(sha256),
            nvidia: self.nvidia.and_simulated(sha256, sha256),
        }
    }
}
