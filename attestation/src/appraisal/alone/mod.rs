//! Evidence by itself: a report, a quote or GPUs' answers, without the conversation that it is about. It goes through the same walk.
//!
//! Without a conversation, evidence does not show who is answering now: [`crate::Unverified`] walks the whole way.

pub mod gpus;
pub mod snp;
pub mod tdx;

use super::told::Told;
use crate::{
    Time,
    azure::vtpm,
    nvidia::{Devices, Gpu, Switch},
    snp::report::Report,
    tdx::Td,
    transcript::Transcript,
};

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
