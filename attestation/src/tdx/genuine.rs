//! The two halves of the procedure, for evidence that walks in stages: first whether it is genuine, later whether it is wanted.

use super::{
    policy::TdxPolicy,
    procedure::{Findings, Grounds, Procedure},
    td::Td,
    wanted::{self, Beside},
};
use crate::{
    Rejection, Time,
    digest::Hex,
    inspection::{Inspection, Patience},
    verdict::Transcript,
};

/// A TD that Intel (or a named simulation of it) vouches for. Nobody has said yet that its platform is current enough.
#[derive(Debug, Clone)]
pub struct Genuine {
    td: Td,
    root: Hex<32>,
    simulated: bool,
    until: Time,
}

/// Steps tdx-1 to tdx-7.
pub(crate) fn authenticate(
    quote: &[u8],
    grounds: Grounds<'_>,
    transcript: &mut Transcript,
) -> Result<Genuine, Rejection> {
    let mut inspection = Inspection::new(transcript, Patience::First);
    let found = Procedure::new(grounds, &mut inspection).run(quote);
    let failures = inspection.failures();
    transcript.settle_all(failures)?;
    // Without a TD there is a failure; this keeps it a refusal if that should ever change.
    found.and_then(Genuine::of).ok_or(Rejection::QuoteTruncated)
}

/// The same through every check, and the TD as if all had passed: to explain what else is wrong, never to accept.
pub(crate) fn explain(
    quote: &[u8],
    grounds: Grounds<'_>,
    transcript: &mut Transcript,
) -> Result<Option<Genuine>, Rejection> {
    let mut inspection = Inspection::new(transcript, Patience::All);
    let found = Procedure::new(grounds, &mut inspection).run(quote);
    let failures = inspection.failures();
    let last = transcript.settle_all(failures);
    transcript.settle(last)?;
    Ok(found.and_then(Genuine::of))
}

impl Genuine {
    fn of(findings: Findings) -> Option<Self> {
        Some(Self {
            td: findings.td?,
            root: findings.root,
            simulated: findings.simulated,
            until: findings.until,
        })
    }

    /// Steps hcl-8, tdx-8 and tdx-9. The TD then has the events that explain its registers, if a log came along.
    pub(crate) fn appraise(
        &mut self,
        policy: &TdxPolicy,
        event_log: Option<&[u8]>,
        transcript: &mut Transcript,
    ) -> Result<(), Rejection> {
        let patience = transcript.patience();
        let mut inspection = Inspection::new(transcript, patience);
        let beside = Beside {
            event_log,
            // No bundle has a virtual TPM's quote in it.
            vtpm: None,
        };
        self.td.event_log = wanted::check(&self.td, policy, beside, &mut inspection);
        let failures = inspection.failures();
        transcript.settle_all(failures)
    }

    /// The TD and its platform.
    pub fn td(&self) -> &Td {
        &self.td
    }

    /// SHA-256 of the root.
    pub fn root(&self) -> Hex<32> {
        self.root
    }

    /// Whether that root is a simulated one.
    pub fn simulated(&self) -> bool {
        self.simulated
    }

    /// When the first certificate, list or document that this rests on ends.
    pub fn until(&self) -> Time {
        self.until
    }
}
