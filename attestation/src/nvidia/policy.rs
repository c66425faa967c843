//! What a relying party requires of GPUs. Nothing is skipped silently: whatever is not checked has a stated reason.

use std::time::Duration;

use super::{ocsp::STAPLED_AGE, opaque::Mode, version::DriverVersion};
use crate::transcript::Expect;

/// The whole policy for the GPUs of one machine. It has no default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuPolicy {
    /// What it takes to call a GPU genuine.
    pub proof: Proof,
    /// Which genuine GPUs are accepted.
    pub wanted: Wanted,
}

/// What may be missing from the proof that a GPU is genuine. [`Proof::complete`] requires everything; [`Proof::offline`] everything
/// except what takes a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Whose statement on revocation counts.
    pub revocation: Revocation,
    /// How old a stapled answer may be. This applies only with [`Revocation::Stapled`].
    pub stapled_age: Duration,
    /// Accepts certificates on hold, for this reason. NVIDIA puts devices on hold; most policies should not accept that.
    pub hold_accepted: Option<String>,
    /// Accepts the absence of RIMs, for this reason: nothing is then known about the running firmware.
    pub rims_unchecked: Option<String>,
    /// Accepts reports without FWID, as made by firmware from 2023, for this reason. If there is an FWID, it is always compared.
    pub fwid_unchecked: Option<String>,
}

/// Whose statement on revocation counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// OCSP answers that this verifier requested with its own nonce. This takes a network: [`super::needs::to_ask`] says what to ask.
    Asked,
    /// Also stapled answers, if they are no older than [`Proof::stapled_age`].
    Stapled,
    /// Revocation is not checked, for this reason.
    Unchecked {
        /// Why.
        why: String,
    },
}

/// Which genuine GPUs are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How many.
    pub count: Expect<usize>,
    /// Models as the device's certificate names them: `GH100 A01 GSP BROM`.
    pub models: Expect<String>,
    /// Devices, each by its ueid (decimal; it changes with the firmware's first stage) or its identity (hex; it never does).
    pub devices: Expect<String>,
    /// Driver versions: `550.90.07`.
    pub drivers: Expect<String>,
    /// The oldest driver.
    pub minimum_driver: Minimum,
    /// VBIOS versions: `96.00.9F.00.01`.
    pub vbioses: Expect<String>,
    /// How the GPUs share their memory.
    pub modes: Expect<Mode>,
    /// Firmware of the switches between GPUs in protected-PCIe mode: `96.10.55.00.01`.
    pub switch_firmware: Expect<String>,
    /// Accepts GPUs in protected-PCIe mode without evidence of their switches, for this reason.
    pub switches_unchecked: Option<String>,
}

/// The oldest accepted driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Minimum {
    /// This one.
    Driver(DriverVersion),
    /// Any, for this reason.
    Unchecked {
        /// Why.
        why: String,
    },
}

impl Proof {
    /// Requires everything: fresh OCSP answers, no certificate on hold, both RIMs, and the FWID.
    pub fn complete() -> Self {
        Self {
            revocation: Revocation::Asked,
            stapled_age: STAPLED_AGE,
            hold_accepted: None,
            rims_unchecked: None,
            fwid_unchecked: None,
        }
    }

    /// The same, but OCSP answers may be stapled and at most a day old: a policy's default.
    pub fn offline() -> Self {
        Self {
            revocation: Revocation::Stapled,
            ..Self::complete()
        }
    }
}

impl Wanted {
    /// Any genuine GPUs at all, for this reason: the verdict is then about genuineness only.
    pub fn any(why: &str) -> Self {
        let why = || why.to_owned();
        Self {
            count: Expect::Unchecked { why: why() },
            models: Expect::Unchecked { why: why() },
            devices: Expect::Unchecked { why: why() },
            drivers: Expect::Unchecked { why: why() },
            minimum_driver: Minimum::Unchecked { why: why() },
            vbioses: Expect::Unchecked { why: why() },
            modes: Expect::Unchecked { why: why() },
            switch_firmware: Expect::Unchecked { why: why() },
            switches_unchecked: Some(why()),
        }
    }
}
