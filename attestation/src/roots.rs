//! Trust anchors: those of the three vendors, each pinned by its whole DER, and simulated ones that a policy names.

use crate::{nvidia, snp, tdx};

/// The anchors that a verifier accepts, each for the evidence of its own kind.
#[derive(Debug, Clone)]
pub struct Roots {
    /// For SEV-SNP reports.
    pub amd: snp::Roots,
    /// For TDX quotes.
    pub intel: tdx::Roots,
    /// For GPUs, and for what NVIDIA publishes about them.
    pub nvidia: nvidia::Roots,
}

impl Roots {
    /// AMD's, Intel's and NVIDIA's. No simulated roots.
    pub fn vendors() -> Self {
        Self {
            amd: snp::Roots::amd(),
            intel: tdx::Roots::intel(),
            nvidia: nvidia::Roots::nvidia(),
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
