//! The answers of a machine's GPUs and of the switches between them: are they genuine, and do they satisfy a policy, if there is one?

use super::Verified;
use crate::{
    Memory, Time,
    nvidia::{self, Devices, GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots},
    policy::Waivers,
    transcript::{Inspection, Patience, Refusal},
};

/// What GPUs are verified against.
#[derive(Debug, Clone, Copy)]
pub struct GpuQuestion<'a> {
    /// What this verifier asked every one of them.
    pub nonce: &'a [u8; 32],
    /// Whose chains count.
    pub roots: &'a NvidiaRoots,
    /// Manifests and revocation answers.
    pub collateral: &'a GpuCollateral,
    /// The time.
    pub now: Time,
    /// What is wanted; without it, the verdict is about genuineness only.
    pub policy: Option<&'a GpuPolicy>,
    /// Which inputs may be missing where there is no policy; a policy has its own fields for this.
    pub waivers: &'a Waivers,
}

impl<'a> GpuQuestion<'a> {
    /// Asks whether GPUs are genuine and answer `nonce`, with nothing waived. Set the other fields to ask for more, or for less.
    pub fn new(
        nonce: &'a [u8; 32],
        roots: &'a NvidiaRoots,
        collateral: &'a GpuCollateral,
        now: Time,
    ) -> Self {
        Self {
            nonce,
            roots,
            collateral,
            now,
            policy: None,
            waivers: Waivers::none(),
        }
    }
}

/// Verifies the evidence of all GPUs of a machine, and of the switches between them, in any order, to the first check that fails.
pub fn verify(
    evidence: &[GpuEvidence],
    question: &GpuQuestion<'_>,
) -> Result<Verified<Devices>, Refusal> {
    verify_with(evidence, question, &Memory::none())
}

/// The same, with what was verified before.
pub fn verify_with(
    evidence: &[GpuEvidence],
    question: &GpuQuestion<'_>,
    memory: &Memory,
) -> Result<Verified<Devices>, Refusal> {
    conduct(evidence, question, Patience::First, memory)
}

/// The same through every check that can be made: a refusal then lists everything that is wrong.
pub fn explain(
    evidence: &[GpuEvidence],
    question: &GpuQuestion<'_>,
) -> Result<Verified<Devices>, Refusal> {
    conduct(evidence, question, Patience::All, &Memory::none())
}

fn conduct(
    evidence: &[GpuEvidence],
    question: &GpuQuestion<'_>,
    patience: Patience,
    memory: &Memory,
) -> Result<Verified<Devices>, Refusal> {
    let mut inspection = Inspection::new(patience);
    let without = question.waivers.gpu_policy();
    let asked = nvidia::Grounds {
        nonce: question.nonce,
        roots: question.roots,
        collateral: question.collateral,
        policy: question.policy.unwrap_or(&without),
        now: question.now,
        memory,
    };
    let found = nvidia::verify(evidence, &asked, &mut inspection);
    let (found, transcript) = inspection.finish(found)?;
    Ok(Verified {
        until: found.until,
        found,
        vtpm: None,
        asked: true,
        wanted: question.policy.is_some(),
        told: None,
        transcript,
    })
}
