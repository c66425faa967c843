//! Trust anchors: Intel's root, compared by its whole DER, and simulated ones that a policy names.

use std::sync::LazyLock;

use super::certificate::Certificate;
use crate::{
    Rejection,
    encoding::{
        digest::{Hex, sha256},
        pem,
    },
    transcript::SIMULATED,
};

/// DER, decoded when it is first wanted.
static INTEL_SGX_ROOT: LazyLock<Vec<u8>> =
    LazyLock::new(|| pem::pinned(include_str!("roots/intel-sgx-root-ca.pem")));
/// The organisation in the names of Intel's certificates.
const INTEL: &str = "Intel Corporation";

/// The anchors that a verifier accepts.
#[derive(Debug, Clone)]
pub struct IntelRoots {
    simulated: Vec<[u8; 32]>,
}

/// The owner of the root that a chain ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    Intel,
    Simulated,
}

impl Vendor {
    /// The organisation in every certificate below its root.
    pub(crate) fn organisation(self) -> &'static str {
        match self {
            Self::Intel => INTEL,
            Self::Simulated => SIMULATED,
        }
    }
}

impl IntelRoots {
    /// The Intel SGX Root CA. No simulated roots.
    pub fn intel() -> Self {
        Self {
            simulated: Vec::new(),
        }
    }

    /// Also accepts the simulated root whose DER has this SHA-256. Verdicts that rest on it say `simulated`.
    #[must_use]
    pub fn and_simulated(mut self, sha256: [u8; 32]) -> Self {
        self.simulated.push(sha256);
        self
    }

    /// Whose root this is, if `root`, the last certificate of a chain from outside, is an accepted one.
    pub(crate) fn admit(&self, root: &Certificate<'_>) -> Result<Vendor, Rejection> {
        if *INTEL_SGX_ROOT == root.der {
            return Ok(Vendor::Intel);
        }
        let digest = sha256(&[root.der]);
        if self.simulated.contains(&digest) {
            return Ok(Vendor::Simulated);
        }
        if root.is_of(SIMULATED) {
            return Err(Rejection::TdxSimulatedRootRefused { root: Hex(digest) });
        }
        Err(Rejection::IntelRootUnknown {
            root: root.subject().to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_root_is_that_of_the_specification() {
        // docs/spec/verification.md §0
        let root = &*INTEL_SGX_ROOT;
        assert_eq!(
            hex::encode(sha256(&[root])),
            "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
        );
        let root = Certificate::parse(root, "root").expect("a certificate");
        assert_eq!(IntelRoots::intel().admit(&root), Ok(Vendor::Intel));
    }
}
