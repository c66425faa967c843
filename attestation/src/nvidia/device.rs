//! What is known about devices that passed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    kind::{Architecture, Pdi},
    measurements::Compared,
    opaque::{Entry, Mode},
};
use crate::{Time, encoding::digest::Hex};

/// A GPU that passed. Every field is signed by its key, except where its doc says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Gpu {
    /// Whether anything about the machine's GPUs rests on a simulated root: if so, they are not NVIDIA hardware.
    pub simulated: bool,
    /// Its generation; from its certificates.
    pub architecture: Architecture,
    /// Its model; from its certificates.
    pub model: String,
    /// NVIDIA's name for the device and its firmware's first stage: its leaf's serial number.
    pub ueid: String,
    /// The device, independent of its firmware: its identity certificate's serial number.
    pub identity: String,
    /// The nonce that it answered.
    pub nonce: Hex<32>,
    /// The driver that initialized it.
    pub driver: String,
    /// Its firmware.
    pub vbios: String,
    /// How it shares its memory.
    pub mode: Mode,
    /// The firmware that its key was certified for, if it says so.
    pub fwid: Option<Hex<48>>,
    /// What was compared with the driver's RIM; `None` if the policy waives it.
    pub driver_measurements: Option<Compared>,
    /// What was compared with the VBIOS's RIM; `None` if the policy waives it.
    pub vbios_measurements: Option<Compared>,
    /// Whether a certificate of the device is on hold; if so, the policy accepts that.
    pub on_hold: bool,
    /// Its identity on the fabric of its machine, if its certificates give one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pdi: Option<Pdi>,
    /// The switches that its links lead to.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub switches: BTreeSet<Pdi>,
    /// Security version numbers, by their type in the opaque data; firmware before version 2 of that format reports none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<u16, u64>,
    /// Entries of the opaque data that this verifier does not know. They are shown, but they decided nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_entries: Vec<Entry>,
}

/// A switch between GPUs that passed. Every field is signed by its key, except where its doc says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Switch {
    /// As for a [`Gpu`].
    pub simulated: bool,
    /// Its model; from its certificates.
    pub model: String,
    /// NVIDIA's name for the device and its firmware's first stage: its leaf's serial number.
    pub ueid: String,
    /// The device, independent of its firmware: its identity certificate's serial number.
    pub identity: String,
    /// Its identity on the fabric; its report and its certificates agree on it.
    pub pdi: Pdi,
    /// The nonce that it answered.
    pub nonce: Hex<32>,
    /// Its firmware.
    pub firmware: String,
    /// What was compared with the firmware's RIM; `None` if the policy waives it.
    pub measurements: Option<Compared>,
    /// Whether a certificate of the device is on hold; if so, the policy accepts that.
    pub on_hold: bool,
    /// The GPUs that its ports lead to.
    pub gpus: BTreeSet<Pdi>,
}

/// The devices of one machine, all of them verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Devices {
    /// At least one, unless none are wanted.
    pub gpus: Vec<Gpu>,
    /// The switches in protected-PCIe mode.
    pub switches: Vec<Switch>,
    /// When the first certificate or OCSP answer that they rest on expires.
    pub until: Time,
}

/// No devices.
impl Default for Devices {
    fn default() -> Self {
        Self {
            gpus: Vec::new(),
            switches: Vec::new(),
            until: Time(i64::MAX),
        }
    }
}
