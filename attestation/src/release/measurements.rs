//! What hardware reports for an image: one entry for each machine that it was computed for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::digest::Hex;

/// What hardware may report for an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurements {
    /// SEV-SNP's launch digests, by the machine's shape.
    pub snp: Vec<SnpMeasurement>,
    /// TDX's registers.
    pub tdx: Vec<TdxMeasurement>,
}

/// A launch digest and the machine that reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnpMeasurement {
    /// How many virtual CPUs.
    pub vcpus: u32,
    /// Their type, as QEMU names it.
    pub cpu: String,
    /// `SEV_FEATURES` of their save areas.
    pub guest_features: u64,
    /// Computed with the simulated platform's command line: real hardware never reports it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub simulated: bool,
    /// MEASUREMENT.
    pub launch_digest: Hex<48>,
}

/// The registers of a TD that depend on the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TdxMeasurement {
    /// See [`SnpMeasurement::simulated`].
    #[serde(default, skip_serializing_if = "is_false")]
    pub simulated: bool,
    /// The firmware.
    pub mrtd: Hex<48>,
    /// The kernel, and the firmware's steps before it.
    pub rtmr1: Hex<48>,
    /// Command line and initrd.
    pub rtmr2: Hex<48>,
    /// The events in RTMR0, in order: a verifier compares a machine's event log with them.
    pub rtmr0: Vec<MachineEvent>,
}

/// An event of the register that covers the machine as well as the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineEvent {
    /// What is measured, for people.
    pub name: String,
    /// Its digest; `None` where the machine decides it.
    #[serde(deserialize_with = "Option::deserialize")]
    pub digest: Option<Hex<48>>,
}

/// The measurements in evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// From SEV-SNP.
    Snp {
        /// MEASUREMENT.
        launch_digest: Hex<48>,
    },
    /// From TDX. RTMR0 is the machine's, RTMR3 the guest's own.
    Tdx {
        /// MRTD.
        mrtd: Hex<48>,
        /// RTMR1.
        rtmr1: Hex<48>,
        /// RTMR2.
        rtmr2: Hex<48>,
    },
}

impl Measurements {
    /// Whether hardware would report this for the image.
    pub fn include(&self, measured: &Measured) -> bool {
        match measured {
            Measured::Snp { launch_digest } => self
                .snp
                .iter()
                .any(|line| line.launch_digest == *launch_digest),
            Measured::Tdx { mrtd, rtmr1, rtmr2 } => self
                .tdx
                .iter()
                .any(|line| (line.mrtd, line.rtmr1, line.rtmr2) == (*mrtd, *rtmr1, *rtmr2)),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Its wording in a rejection.
impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snp { launch_digest } => write!(f, "launch digest {launch_digest}"),
            Self::Tdx { mrtd, rtmr1, rtmr2 } => {
                write!(f, "MRTD {mrtd}, RTMR1 {rtmr1}, RTMR2 {rtmr2}")
            }
        }
    }
}
