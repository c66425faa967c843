//! The whole procedure for the GPUs of one machine and the switches between them: its question, its answer, and the two ways to ask.
//!
//! It starts from "refused": GPUs are returned only after the last check of the last of them.

use super::{
    device::{Devices, Gpu, Switch},
    evidence::GpuEvidence,
    inspection::{Inspection, Patience},
    procedure::Procedure,
    question::Question,
};
use crate::{
    Rejection, Time,
    verdict::{Refusal, Transcript},
};

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
