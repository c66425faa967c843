//! The whole procedure for one quote: its question, its answer, and the ways to ask.
//!
//! It starts from "refused": a TD is returned only after the last check.

use super::{
    azure::{self, Wrapping},
    collateral::Collateral,
    policy::TdxPolicy,
    procedure::{Grounds, Procedure},
    roots::Roots,
    status::Status,
    td::Td,
    wanted::{self, Beside},
};
use crate::{
    Rejection, Time, appraise,
    azure::vtpm::{Quoted, Told},
    inspection::{Inspection, Patience},
    policy::ReleasePolicy,
    release::Rebuilders,
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

/// How a quote came out.
#[derive(Debug, Clone)]
pub struct Examined {
    found: Option<(Td, Time)>,
    vtpm: Option<Told>,
    failures: Vec<Rejection>,
    transcript: Transcript,
}

impl Examined {
    /// Everything that is wrong, in order; nothing, if the TD is genuine and wanted.
    pub fn failures(&self) -> &[Rejection] {
        &self.failures
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The TD, if it is genuine, wanted or not: each signature holds, and Intel has not revoked what made it.
    pub fn td(&self) -> Option<&Td> {
        self.found.as_ref().map(|(td, _)| td)
    }

    /// What Azure's virtual TPM told beside it.
    pub fn vtpm(&self) -> Option<&Told> {
        self.found.as_ref().and(self.vtpm.as_ref())
    }

    /// Step policy-13, of a TD that has no other failure: do enough rebuilders confirm what it measured?
    #[must_use]
    pub fn confirmed_by(mut self, rebuilders: &Rebuilders, statements: &[Vec<u8>]) -> Self {
        if let (Some((td, _)), true) = (&self.found, self.failures.is_empty()) {
            let measured = td.report.measured();
            let confirmed = appraise::rebuilders(
                Some(rebuilders),
                statements,
                &measured,
                &mut self.transcript,
            );
            self.failures.extend(confirmed.err());
        }
        self
    }

    /// Step policy-14, of a TD that a policy was made for from a release.
    #[must_use]
    pub fn of_release(mut self, release: &ReleasePolicy) -> Self {
        appraise::release(Some(release), &mut self.transcript);
        self
    }

    /// When the first certificate, list or document that this rests on ends.
    pub fn until(&self) -> Option<Time> {
        self.found.as_ref().map(|(_, until)| *until)
    }
}

/// Examines the quote of a TD, to the first failure or through every check that can be made.
pub fn examine(quote: &[u8], question: &Question<'_>, patience: Patience) -> Examined {
    conduct(quote, None, question, patience)
}

/// Examines the quote of a TD on Azure, with the HCL report around the `TDREPORT` that it was made of and, where there is one, the quote of
/// the virtual TPM whose key that report covers.
///
/// If the virtual TPM answers the caller's nonce, the evidence is fresh, and nobody has to say what REPORTDATA should be.
pub fn examine_wrapped(
    quote: &[u8],
    wrapped: &[u8],
    quoted: Option<&Quoted<'_>>,
    question: &Question<'_>,
    patience: Patience,
) -> Examined {
    let wrapping = Wrapping {
        hcl: wrapped,
        quoted,
    };
    conduct(quote, Some(wrapping), question, patience)
}

fn conduct(
    quote: &[u8],
    wrapping: Option<Wrapping<'_>>,
    question: &Question<'_>,
    patience: Patience,
) -> Examined {
    let mut transcript = Transcript::default();
    let mut inspection = Inspection::new(&mut transcript, patience);
    let found = run(quote, wrapping, question, &mut inspection);
    let mut failures = inspection.failures();
    if found.is_none() && failures.is_empty() {
        // Without a TD there is a failure; this keeps it a refusal if that should ever change.
        failures.push(Rejection::QuoteTruncated);
    }
    let (found, vtpm) = match found {
        Some(found) if found.genuine => (Some((found.td, found.until)), found.vtpm),
        _ => (None, None),
    };
    Examined {
        found,
        vtpm,
        failures,
        transcript,
    }
}

/// A TD that could be read to its end, whether or not its signatures hold.
struct Found {
    td: Td,
    until: Time,
    vtpm: Option<Told>,
    /// Whether every signature holds and Intel stands by the keys.
    genuine: bool,
}

/// Steps tdx-1 to tdx-9, and those of Azure's wrapping, if there is one.
fn run(
    quote: &[u8],
    wrapping: Option<Wrapping<'_>>,
    question: &Question<'_>,
    inspection: &mut Inspection<'_>,
) -> Option<Found> {
    let Question {
        roots,
        collateral,
        event_log,
        policy,
        now,
    } = *question;
    let grounds = Grounds {
        roots,
        collateral,
        trailing_accepted: policy.trailing_accepted.as_deref(),
        now,
    };
    let unwrapped = match wrapping {
        Some(wrapping) => Some(wrapping.unwrap(inspection)?),
        None => None,
    };
    let found = Procedure::new(grounds, inspection).run(quote);
    let vtpm = unwrapped.and_then(|unwrapped| {
        let report = found.as_ref().map(|found| &found.report);
        unwrapped.inspect(report, inspection)
    });
    let found = found?;
    let policy = &*azure::answered(policy, vtpm.as_ref(), &found.report);
    let beside = Beside {
        event_log,
        vtpm: vtpm.as_ref(),
    };
    let is_clean = inspection.is_clean();
    let Some(td) = found.td else {
        wanted::check_td_and_rest(&found.report, &found.platform, policy, beside, inspection);
        return None;
    };
    let event_log = wanted::check(&td, policy, beside, inspection);
    Some(Found {
        genuine: is_clean && td.status != Status::Revoked,
        td: Td { event_log, ..td },
        until: found.until,
        vtpm,
    })
}

/// Verifies the quote of a TD.
pub fn verify(quote: &[u8], question: &Question<'_>) -> Result<Verified, Refusal> {
    let Examined {
        found,
        failures,
        transcript,
        ..
    } = examine(quote, question, Patience::First);
    match (found, failures.into_iter().next()) {
        (Some((td, until)), None) => Ok(Verified {
            td,
            until,
            transcript,
        }),
        (_, rejection) => Err(Refusal {
            rejection: rejection.unwrap_or(Rejection::QuoteTruncated),
            transcript,
        }),
    }
}

/// Makes every check that can be made, failures or not: what is wrong with this quote? An empty list means nothing.
pub fn explain(quote: &[u8], question: &Question<'_>) -> (Vec<Rejection>, Transcript) {
    let Examined {
        failures,
        transcript,
        ..
    } = examine(quote, question, Patience::All);
    (failures, transcript)
}
