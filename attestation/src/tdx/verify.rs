//! The whole procedure for one quote: its question, its answer, and the two ways to ask.
//!
//! It starts from "refused": a TD is returned only after the last check.

use serde::Serialize;

use super::{
    collateral::Collateral,
    event_log::EventLog,
    pck::Platform,
    policy::TdxPolicy,
    procedure::{Grounds, Procedure},
    report::TdReport,
    roots::Roots,
    status::Status,
    wanted,
};
use crate::{
    Rejection, Time,
    inspection::{Inspection, Patience},
    verdict::{Refusal, Transcript},
};

/// What a quote is verified against.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whose chains count.
    pub roots: &'a Roots,
    /// What Intel says about the platform.
    pub collateral: &'a Collateral,
    /// What the guest says was measured into the run-time registers.
    pub event_log: Option<&'a [u8]>,
    /// What is wanted.
    pub policy: &'a TdxPolicy,
    /// The time.
    pub now: Time,
}

/// A TD that passed. Every field is signed by hardware or by Intel, except where its doc says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Td {
    /// The quote's version.
    pub version: u16,
    /// The TD's report.
    pub report: TdReport,
    /// The platform, from its certificate.
    pub platform: Platform,
    /// The quoting enclave's level.
    pub qe_svn: u16,
    /// How current the platform is, from all its parts.
    pub status: Status,
    /// How current the platform's components are.
    pub platform_status: Status,
    /// How current the TDX module is; none before version 1, where it counts as a component.
    pub module_status: Option<Status>,
    /// How current the quoting enclave is.
    pub qe_status: Status,
    /// Advisories that the matching levels name.
    pub advisories: Vec<String>,
    /// When the matching level was set.
    pub tcb_date: Time,
    /// The evaluation number of TCB info and QE identity, the lesser of the two.
    pub evaluation: u32,
    /// Every event that explains the run-time registers, if a log came along.
    pub event_log: Option<EventLog>,
    /// How many bytes follow the quote. Hint: nothing covers them, and nothing reads them.
    pub trailing_bytes: usize,
}

/// A TD that was verified. There is no other way to make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    td: Td,
    until: Time,
    transcript: Transcript,
}

impl Verified {
    /// The TD.
    pub fn td(&self) -> &Td {
        &self.td
    }

    /// When the first certificate, list or document that this rests on ends.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Whether this rests on a simulated root.
    pub fn simulated(&self) -> bool {
        self.transcript.simulated()
    }
}

/// Verifies the quote of a TD.
pub fn verify(quote: &[u8], question: &Question<'_>) -> Result<Verified, Refusal> {
    let mut transcript = Transcript::default();
    let mut inspection = Inspection::new(&mut transcript, Patience::First);
    let found = run(quote, question, &mut inspection);
    match (found, inspection.failures().into_iter().next()) {
        (Some((td, until)), None) => Ok(Verified {
            td,
            until,
            transcript,
        }),
        (_, rejection) => Err(Refusal {
            // Without a TD there is a failure; this keeps it a refusal if that should ever change.
            rejection: rejection.unwrap_or(Rejection::QuoteTruncated),
            transcript,
        }),
    }
}

/// Makes every check that can be made, failures or not: what is wrong with this quote? An empty list means nothing.
pub fn explain(quote: &[u8], question: &Question<'_>) -> (Vec<Rejection>, Transcript) {
    let mut transcript = Transcript::default();
    let mut inspection = Inspection::new(&mut transcript, Patience::All);
    run(quote, question, &mut inspection);
    let failures = inspection.failures();
    (failures, transcript)
}

fn run(
    quote: &[u8],
    question: &Question<'_>,
    inspection: &mut Inspection<'_>,
) -> Option<(Td, Time)> {
    let grounds = Grounds {
        roots: question.roots,
        collateral: question.collateral,
        trailing_accepted: question.policy.trailing_accepted.as_deref(),
        now: question.now,
    };
    let found = Procedure::new(grounds, inspection).run(quote)?;
    let Question {
        event_log, policy, ..
    } = *question;
    let Some(td) = found.td else {
        wanted::check_td_and_log(&found.report, &found.platform, policy, event_log, inspection);
        return None;
    };
    let event_log = wanted::check(&td, policy, event_log, inspection);
    Some((Td { event_log, ..td }, found.until))
}
