//! Evidence by itself: a report, a quote or GPUs' answers, without the conversation that it is about. It goes through the same walk.
//!
//! Without a conversation, evidence does not show who is answering now: [`crate::Unverified`] walks the whole way.

pub mod gpus;
pub mod snp;
pub mod tdx;

use super::{
    platform::{Platform, known},
    told::Told,
};
use crate::{
    Time,
    azure::vtpm,
    nvidia::{Devices, Gpu, Switch},
    snp::report::Report,
    tdx::Td,
    transcript::{Failed, Inspection, Patience, Refusal, Transcript},
};

/// A genuine CPU, and what Azure's virtual TPM said about it.
type Vouched<C> = (C, Option<vtpm::Told>);

/// First whether a CPU is genuine, then whether it is wanted. If it is genuine and refused, the refusal keeps what it says.
fn conduct<C: Platform>(
    patience: Patience,
    authenticate: impl FnOnce(&mut Inspection) -> Result<Vouched<C>, Failed>,
    appraise: impl FnOnce(&mut Vouched<C>, &mut Inspection) -> Result<(), Failed>,
) -> Result<(Vouched<C>, Transcript), Refusal> {
    let mut inspection = Inspection::new(patience);
    let mut found = match authenticate(&mut inspection) {
        Ok(found) => found,
        Err(failed) => return inspection.finish(Err(failed)),
    };
    let is_genuine = inspection.is_clean() && !found.0.is_revoked();
    let appraised = appraise(&mut found, &mut inspection);
    match inspection.finish(appraised) {
        Ok(((), transcript)) => Ok((found, transcript)),
        Err(refusal) if is_genuine => Err(refusal.knowing(known(&found.0, found.1.as_ref()))),
        Err(refusal) => Err(refusal),
    }
}

/// Whether the virtual TPM's quote answers the caller's nonce.
fn is_fresh(told: Option<&vtpm::Told>) -> bool {
    told.is_some_and(|told| told.fresh)
}

/// Evidence that was verified. Only verification makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    pub(crate) found: T,
    /// What Azure's virtual TPM said about it.
    pub(crate) vtpm: Option<vtpm::Told>,
    /// Whether it answers what the relying party asked for.
    pub(crate) asked: bool,
    /// Whether there was a policy.
    pub(crate) wanted: bool,
    /// `None` for GPUs.
    pub(crate) told: Option<Told>,
    pub(crate) until: Time,
    pub(crate) transcript: Transcript,
}

impl<T> Verified<T> {
    /// What was verified.
    pub fn found(&self) -> &T {
        &self.found
    }

    /// What Azure's virtual TPM said about it.
    pub fn vtpm(&self) -> Option<&vtpm::Told> {
        self.vtpm.as_ref()
    }

    /// When the first certificate, list, document or answer that this rests on expires.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Whether any of this rests on a simulated root. Every output must then say so.
    pub fn simulated(&self) -> bool {
        self.transcript.simulated()
    }
}

impl Verified<crate::snp::Genuine> {
    /// The report.
    pub fn report(&self) -> &Report {
        self.found.report()
    }
}

impl Verified<crate::tdx::Genuine> {
    /// The TD.
    pub fn td(&self) -> &Td {
        self.found.td()
    }
}

impl Verified<Devices> {
    /// The GPUs: at least one.
    pub fn gpus(&self) -> &[Gpu] {
        &self.found.gpus
    }

    /// The switches between them, if the GPUs are in protected-PCIe mode and the policy does not waive them.
    pub fn switches(&self) -> &[Switch] {
        &self.found.switches
    }
}
