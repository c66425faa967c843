//! Trust anchors: NVIDIA's two roots, compared by their whole DER, and simulated ones that a policy names.
//!
//! Devices and reference values each have their own root; neither may stand in for the other.

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
static DEVICE_IDENTITY: LazyLock<Vec<u8>> =
    LazyLock::new(|| pem::pinned(include_str!("roots/device-identity-ca.pem")));
static CORIM_SIGNING: LazyLock<Vec<u8>> =
    LazyLock::new(|| pem::pinned(include_str!("roots/corim-signing-root-ca.pem")));

/// The anchors that a verifier accepts.
#[derive(Debug, Clone)]
pub struct NvidiaRoots {
    device: Vec<Anchor>,
    rim: Vec<Anchor>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    Nvidia { der: &'static [u8] },
    Simulated { sha256: [u8; 32] },
}

/// What a chain is for, which decides whose root it must end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Device,
    Rim,
}

impl NvidiaRoots {
    /// The NVIDIA Device Identity CA and the `CoRIM` signing root. No simulated roots.
    pub fn nvidia() -> Self {
        Self {
            device: vec![Anchor::Nvidia {
                der: &DEVICE_IDENTITY,
            }],
            rim: vec![Anchor::Nvidia {
                der: &CORIM_SIGNING,
            }],
        }
    }

    /// Also accepts the simulated roots whose DER has these SHA-256. Verdicts that rest on them say `simulated`.
    #[must_use]
    pub fn and_simulated(mut self, device: [u8; 32], rim: [u8; 32]) -> Self {
        self.device.push(Anchor::Simulated { sha256: device });
        self.rim.push(Anchor::Simulated { sha256: rim });
        self
    }

    /// The same, but with only these of the simulated roots.
    pub(crate) fn simulating_only(&self, named: &[[u8; 32]]) -> Self {
        let keep = |anchors: &[Anchor]| {
            let kept = anchors.iter().filter(|anchor| match anchor {
                Anchor::Nvidia { .. } => true,
                Anchor::Simulated { sha256 } => named.contains(sha256),
            });
            kept.copied().collect()
        };
        Self {
            device: keep(&self.device),
            rim: keep(&self.rim),
        }
    }

    /// Whether `root`, the last certificate of a chain from outside, is an accepted one, and if so, whether it is simulated.
    pub(crate) fn admit(&self, purpose: Purpose, root: &Certificate) -> Result<bool, Rejection> {
        let anchors = match purpose {
            Purpose::Device => &self.device,
            Purpose::Rim => &self.rim,
        };
        let digest = sha256(&[&root.der]);
        for anchor in anchors {
            match anchor {
                Anchor::Nvidia { der } if *der == root.der => return Ok(false),
                Anchor::Simulated { sha256 } if *sha256 == digest => return Ok(true),
                _ => {}
            }
        }
        let name = root.subject_name();
        let mut organisations = name
            .iter_organization()
            .filter_map(|name| name.as_str().ok());
        if organisations.any(|name| name == SIMULATED) {
            return Err(Rejection::GpuSimulatedRootRefused { root: Hex(digest) });
        }
        let root = name.to_string();
        Err(match purpose {
            Purpose::Device => Rejection::GpuRootUnknown { root },
            Purpose::Rim => Rejection::RimRootUnknown { root },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(der: &[u8]) -> String {
        hex::encode(sha256(&[der]))
    }

    #[test]
    fn pinned_roots_are_those_of_the_specification() {
        // docs/spec/verification.md §0
        assert_eq!(
            digest(&DEVICE_IDENTITY),
            "102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48"
        );
        assert_eq!(
            digest(&CORIM_SIGNING),
            "12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1"
        );
    }

    #[test]
    fn one_root_does_not_stand_in_for_the_other() {
        let rim = Certificate::parse(&CORIM_SIGNING, "root").expect("a certificate");
        assert_eq!(NvidiaRoots::nvidia().admit(Purpose::Rim, &rim), Ok(false));
        let refused = NvidiaRoots::nvidia()
            .admit(Purpose::Device, &rim)
            .expect_err("the wrong root");
        assert_eq!(refused.code(), "gpu_root_unknown");
    }
}
