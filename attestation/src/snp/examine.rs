//! A report by itself, beside its certificates: is it genuine, and if somebody says what they want, is it that?
//!
//! Without the conversation it is about, a report says nothing of who answers now: [`crate::Unverified`] walks the whole way.

use super::{
    broken::{self, Accepted, Broken},
    chain::Candidates,
    product::Product,
    report::Report,
    roots::Roots,
    tcb::Tcb,
    verify::{Findings, Genuine, inspect},
};
use crate::{
    Collateral, Patience, Rejection, Time, appraise,
    azure::{
        hcl::{self, Platform, Wrapped},
        vtpm::{self, Quoted, Told},
    },
    digest::Hex,
    inspection::Inspection,
    policy::Policy,
    verdict::Transcript,
};

/// What a report is held against.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whose chains count.
    pub roots: &'a Roots,
    /// Certificates and revocation lists.
    pub collateral: &'a Collateral,
    /// The time.
    pub now: Time,
    /// What is wanted; without it, the verdict is about genuineness, and private memory, only.
    pub policy: Option<&'a Policy>,
    /// What the guest was asked to put in: 64 bytes. Without it, nothing says that the report is fresh.
    pub report_data: Option<&'a [u8; 64]>,
    /// Goes without a revocation list, for this reason. A policy has its own field for it, which then counts.
    pub revocation_unchecked: Option<&'a str>,
    /// The broken product lines that are accepted; without it, none. A policy has its own field for it, which alone counts then.
    pub broken: Option<&'a Accepted>,
}

/// How a report came out.
#[derive(Debug, Clone)]
pub struct Examined {
    genuine: Option<Genuine>,
    failures: Vec<Rejection>,
    transcript: Transcript,
}

/// Examines a report, to the first failure or through every check that can be made.
pub fn examine(report: &[u8], question: &Question<'_>, patience: Patience) -> Examined {
    conduct(question, patience, |inspection| {
        (inspect_bare(report, question, inspection), None)
    })
}

/// Examines a report in Azure's wrapping and, where there is one, the quote of the virtual TPM whose key the report covers.
pub fn examine_wrapped(
    wrapped: &[u8],
    quoted: Option<&Quoted<'_>>,
    question: &Question<'_>,
    patience: Patience,
) -> Examined {
    conduct(question, patience, |inspection| {
        let unwrapped = inspection.check(
            ("hcl-2", "runtime data"),
            || hcl::unwrap(wrapped, Platform::Snp),
            |it| format!("{} bytes, which the report covers", it.runtime_data.len()),
        );
        let Some(Wrapped {
            report,
            runtime_data,
        }) = unwrapped
        else {
            return (None, None);
        };
        let findings = inspect_bare(report, question, inspection);
        (findings, vtpm::inspect(runtime_data, quoted, inspection))
    })
}

fn inspect_bare(
    report: &[u8],
    question: &Question<'_>,
    inspection: &mut Inspection<'_>,
) -> Option<Findings> {
    let candidates = Candidates::of(&[question.collateral]);
    inspect(
        report,
        &candidates,
        question.roots,
        question.now,
        inspection,
    )
}

/// Why a revocation list that came along says nothing: it, or the chain that it is about, has failed by then.
const STOPPED: &str = "a list came along; what failed at snp-4 kept it from being used";

/// Lets `look` find out what is there, then holds it against what is wanted.
fn conduct(
    question: &Question<'_>,
    patience: Patience,
    look: impl FnOnce(&mut Inspection<'_>) -> (Option<Findings>, Option<Told>),
) -> Examined {
    let mut transcript = match patience {
        Patience::First => Transcript::default(),
        Patience::All => Transcript::explaining(),
    };
    let mut inspection = Inspection::new(&mut transcript, patience);
    let (findings, told) = look(&mut inspection);
    let mut failures = inspection.failures();
    let is_genuine = failures.is_empty();
    let list_was_stopped = findings.as_ref().is_some_and(|it| !it.chain_holds())
        && !question.collateral.crls.is_empty();
    let found = findings.and_then(if is_genuine {
        Findings::complete
    } else {
        Findings::hypothetical
    });
    let found = found.map(|genuine| Genuine {
        vtpm: told,
        ..genuine
    });
    if is_genuine && found.is_none() {
        // Whatever is missing has failed a check; this keeps it a refusal if that should ever change.
        failures.push(Rejection::ReportSignature);
    }
    if let Some(found) = found
        .as_ref()
        .filter(|_| is_genuine || patience == Patience::All)
    {
        let wanted = if list_was_stopped {
            let excused = question.policy.map(excused);
            let excused = Question {
                policy: excused.as_ref(),
                revocation_unchecked: Some(STOPPED),
                ..*question
            };
            check_wanted(found, &excused, &mut transcript)
        } else {
            check_wanted(found, question, &mut transcript)
        };
        failures.extend(transcript.deferred());
        failures.extend(wanted.err());
    }
    Examined {
        genuine: found.filter(|_| is_genuine),
        failures,
        transcript,
    }
}

/// The policy, going without a list that did come along: that it lacks would be one failure too many.
fn excused(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    if let Some(snp) = &mut policy.snp {
        snp.revocation_unchecked = Some(STOPPED.to_owned());
    }
    policy
}

fn check_wanted(
    genuine: &Genuine,
    question: &Question<'_>,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    if let Some(expected) = question.report_data {
        appraise::report_data(genuine, expected, transcript)?;
    }
    if let Some(policy) = question.policy {
        let answered = genuine.vtpm.as_ref().is_some_and(|told| told.fresh);
        let fresh = question.report_data.is_some() || answered;
        let statements = &question.collateral.statements;
        appraise::appraise_alone(genuine, policy, fresh, statements, transcript)
    } else {
        let why = question.revocation_unchecked;
        let none = Accepted::new();
        let broken = question.broken.unwrap_or(&none);
        appraise::appraise_without_policy(genuine, why, broken, transcript)
    }
}

impl Examined {
    /// What is known against the product line, if anything.
    pub fn broken(&self) -> Option<&'static Broken> {
        self.product().and_then(broken::of)
    }

    /// Everything that is wrong, in order; nothing, if the report is genuine and, with a policy, wanted.
    pub fn failures(&self) -> &[Rejection] {
        &self.failures
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The report, if it is genuine, wanted or not.
    pub fn report(&self) -> Option<&Report> {
        self.genuine.as_ref().map(|genuine| &genuine.report)
    }

    /// The product line, by its certificates.
    pub fn product(&self) -> Option<Product> {
        self.genuine.as_ref().map(|genuine| genuine.product)
    }

    /// The certified firmware levels.
    pub fn reported_tcb(&self) -> Option<Tcb> {
        self.genuine.as_ref().map(|genuine| genuine.levels.reported)
    }

    /// SHA-256 of the root.
    pub fn root(&self) -> Option<Hex<32>> {
        self.genuine.as_ref().map(|genuine| genuine.root)
    }

    /// What Azure's virtual TPM told beside it.
    pub fn vtpm(&self) -> Option<&Told> {
        self.genuine.as_ref()?.vtpm.as_ref()
    }

    /// Until when the revocation list speaks; `None`: there was none.
    pub fn revocation_until(&self) -> Option<Time> {
        self.genuine.as_ref()?.validity.revocation_until
    }

    /// When the first certificate or revocation list that this rests on ends.
    pub fn until(&self) -> Option<Time> {
        self.genuine.as_ref().map(Genuine::until)
    }
}
