//! Evidence by itself: a report, a quote or GPUs' answers, without the conversation that it is about. It takes the same walk.
//!
//! Without a conversation, evidence says nothing of who answers now: [`crate::Unverified`] walks the whole way.

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

/// Evidence that was verified. There is no other way to make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    pub(crate) found: T,
    /// What Azure's virtual TPM told beside it.
    pub(crate) vtpm: Option<vtpm::Told>,
    /// Whether it answers what the relying party asked for.
    pub(crate) asked: bool,
    /// Whether a policy said what is wanted.
    pub(crate) wanted: bool,
    /// None of GPUs.
    pub(crate) told: Option<Told>,
    pub(crate) until: Time,
    pub(crate) transcript: Transcript,
}

impl<T> Verified<T> {
    /// What was verified.
    pub fn found(&self) -> &T {
        &self.found
    }

    /// What Azure's virtual TPM told beside it.
    pub fn vtpm(&self) -> Option<&vtpm::Told> {
        self.vtpm.as_ref()
    }

    /// When the first certificate, list, document or answer that this rests on ends.
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

    /// The switches between them, where the GPUs are in protected-PCIe mode and the policy does not go without them.
    pub fn switches(&self) -> &[Switch] {
        &self.found.switches
    }
}
