//! Which kinds of devices there are, and how a device is identified on the fabric of its machine.

use std::fmt;

use serde::Serialize;

use crate::encoding::digest::Hex;

/// The generations of GPUs whose evidence is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Architecture {
    /// H100, H200 and relatives: GH100.
    Hopper,
    /// B200, RTX PRO 6000 and relatives: GB100, GB102, GB202 and later.
    Blackwell,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hopper => "Hopper",
            Self::Blackwell => "Blackwell",
        })
    }
}

/// What a chain certifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    /// A GPU.
    Gpu(Architecture),
    /// A switch between GPUs, of the Hopper generation: LS10.
    Switch,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpu(architecture) => architecture.fmt(f),
            Self::Switch => f.write_str("NVSwitch"),
        }
    }
}

/// A device's identity on the fabric of its machine: the last eight bytes of its identity certificate's serial number.
pub type Pdi = Hex<8>;
