//! The whole procedure for the GPUs of one machine and the switches between them: its question, its answer, and the two ways to ask.
//!
//! It starts from "refused": GPUs are returned only after the last check of the last of them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    chain::{Architecture, Pdi},
    evidence::GpuEvidence,
    inspection::{Inspection, Patience},
    measurements::Compared,
    ocsp::OcspAnswer,
    opaque::Mode,
    policy::GpuPolicy,
    procedure::Procedure,
    roots::Roots,
};
use crate::{
    Rejection, Time,
    digest::Hex,
    verdict::{Refusal, Transcript},
};

/// A machine's RIMs are two. Whoever keeps the whole catalogue picks by id: [`super::needs`].
pub const MAX_RIMS: usize = 16;

/// What a verifier brings besides the evidence: signed by NVIDIA, whoever carried it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collateral {
    /// Reference manifests, XML. Those of other versions do no harm.
    pub rims: Vec<Vec<u8>>,
    /// OCSP answers.
    pub ocsp: Vec<OcspAnswer>,
}

/// What GPUs are verified against.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What this verifier asked every one of them.
    pub nonce: &'a [u8; 32],
    /// Whose chains count.
    pub roots: &'a Roots,
    /// What is known about them.
    pub collateral: &'a Collateral,
    /// What is wanted.
    pub policy: &'a GpuPolicy,
    /// The time.
    pub now: Time,
}

/// A GPU that passed. Every field is signed by its key, except where its doc says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// Whether anything about the machine's GPUs rests on a simulated root: then they are no NVIDIA hardware.
    pub simulated: bool,
    /// Its generation; from its certificates.
    pub architecture: Architecture,
    /// Its model; from its certificates.
    pub model: String,
    /// NVIDIA's name for the device and its firmware's first stage: its leaf's serial number.
    pub ueid: String,
    /// The device, whatever firmware it runs: its identity certificate's serial number.
    pub identity: String,
    /// The question that it answered.
    pub nonce: Hex<32>,
    /// The driver that set it up.
    pub driver: String,
    /// Its firmware.
    pub vbios: String,
    /// How it shares its memory.
    pub mode: Mode,
    /// The firmware that its key was certified for, if it says so.
    pub fwid: Option<Hex<48>>,
    /// What was compared with the driver's RIM; none if the policy goes without.
    pub driver_measurements: Option<Compared>,
    /// What was compared with the VBIOS's RIM; none if the policy goes without.
    pub vbios_measurements: Option<Compared>,
    /// Whether a certificate of the device is on hold, which the policy then accepts.
    pub on_hold: bool,
    /// Who it is on the fabric of its machine, if its certificates say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pdi: Option<Pdi>,
    /// The switches that its links lead to.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub switches: BTreeSet<Pdi>,
}

/// A switch between GPUs that passed. Every field is signed by its key, except where its doc says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// As of a [`Gpu`].
    pub simulated: bool,
    /// Its model; from its certificates.
    pub model: String,
    /// NVIDIA's name for the device and its firmware's first stage: its leaf's serial number.
    pub ueid: String,
    /// The device, whatever firmware it runs: its identity certificate's serial number.
    pub identity: String,
    /// Who it is on the fabric; its report and its certificates agree on it.
    pub pdi: Pdi,
    /// The question that it answered.
    pub nonce: Hex<32>,
    /// Its firmware.
    pub firmware: String,
    /// What was compared with the firmware's RIM; none if the policy goes without.
    pub measurements: Option<Compared>,
    /// Whether a certificate of the device is on hold, which the policy then accepts.
    pub on_hold: bool,
    /// The GPUs that its ports lead to.
    pub gpus: BTreeSet<Pdi>,
}

/// The devices of one machine, all of them verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Devices {
    pub(crate) gpus: Vec<Gpu>,
    pub(crate) switches: Vec<Switch>,
    /// When the first certificate or OCSP answer that they rest on ends.
    pub(crate) until: Time,
}

/// None, on which nothing rests.
impl Default for Devices {
    fn default() -> Self {
        Self {
            gpus: Vec::new(),
            switches: Vec::new(),
            until: Time(i64::MAX),
        }
    }
}

/// GPUs, and the switches between them, that were all verified. There is no other way to make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    devices: Devices,
    transcript: Transcript,
}

impl Verified {
    /// At least one.
    pub fn gpus(&self) -> &[Gpu] {
        &self.devices.gpus
    }

    /// Where the GPUs are in protected-PCIe mode and the policy does not go without them.
    pub fn switches(&self) -> &[Switch] {
        &self.devices.switches
    }

    /// When the first certificate or OCSP answer that this rests on ends.
    pub fn until(&self) -> Time {
        self.devices.until
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Whether any of this rests on a simulated root.
    pub fn simulated(&self) -> bool {
        self.transcript.simulated()
    }
}

/// Verifies the evidence of all GPUs of a machine, and of the switches between them, in any order.
pub fn verify(evidence: &[GpuEvidence], question: &Question<'_>) -> Result<Verified, Refusal> {
    let mut transcript = Transcript::default();
    match verify_into(evidence, question, &mut transcript) {
        Ok(devices) => Ok(Verified {
            devices,
            transcript,
        }),
        Err(rejection) => Err(Refusal {
            rejection,
            transcript,
        }),
    }
}

/// As [`verify`], in a transcript that has begun already.
pub(crate) fn verify_into(
    evidence: &[GpuEvidence],
    question: &Question<'_>,
    transcript: &mut Transcript,
) -> Result<Devices, Rejection> {
    let patience = transcript.patience();
    let mut inspection = Inspection::new(transcript, patience);
    let found =
        Procedure::new(question, &mut inspection).and_then(|it| it.run(evidence, &mut inspection));
    let failures = inspection.failures();
    transcript.settle_all(failures)?;
    // Without GPUs there is a failure; this keeps it a refusal if that should ever change.
    found.ok_or(Rejection::GpuEvidenceMissing)
}

/// Makes every check that can be made, failures or not: what is wrong with this evidence? An empty list means nothing.
pub fn explain(evidence: &[GpuEvidence], question: &Question<'_>) -> (Vec<Rejection>, Transcript) {
    let mut transcript = Transcript::default();
    let mut inspection = Inspection::new(&mut transcript, Patience::All);
    if let Some(procedure) = Procedure::new(question, &mut inspection) {
        procedure.run(evidence, &mut inspection);
    }
    let failures = inspection.failures();
    (failures, transcript)
}
