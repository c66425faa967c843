//! A SEV-SNP report with its certificates: is it genuine, and does it satisfy a policy, if there is one?

use super::{Verified, Vouched, is_fresh};
use crate::{
    Collateral, Memory, Time,
    appraisal::{appraise, cpu::candidates, told::Told},
    azure::{
        hcl::{self, Platform},
        vtpm::{self, Quoted},
    },
    policy::{Policy, Waivers},
    snp::{self, AmdRoots, Genuine},
    transcript::{Failed, Inspection, Patience, Refusal},
};

/// What a report is verified against.
#[derive(Debug, Clone, Copy)]
pub struct SnpQuestion<'a> {
    /// Whose chains count.
    pub roots: &'a AmdRoots,
    /// Certificates and revocation lists.
    pub collateral: &'a Collateral,
    /// The time.
    pub now: Time,
    /// What is wanted; without it, the verdict is only about genuineness and private memory.
    pub policy: Option<&'a Policy>,
    /// What the guest was asked to put in: 64 bytes. Without it, nothing shows that the report is fresh.
    pub report_data: Option<&'a [u8; 64]>,
    /// Which inputs may be missing. A policy has its own fields for this: [`Waivers::applied_to`].
    pub waivers: &'a Waivers,
}

impl<'a> SnpQuestion<'a> {
    /// Asks whether a report is genuine, with nothing waived. Set the other fields to ask for more, or for less.
    pub fn new(roots: &'a AmdRoots, collateral: &'a Collateral, now: Time) -> Self {
        Self {
            roots,
            collateral,
            now,
            policy: None,
            report_data: None,
            waivers: Waivers::none(),
        }
    }
}

/// A report as it came.
#[derive(Debug, Clone, Copy)]
pub struct SnpEvidence<'a> {
    /// The report, or Azure's wrapping around it.
    pub report: &'a [u8],
    /// The quote of Azure's virtual TPM, whose key the wrapped report covers.
    pub quoted: Option<&'a Quoted<'a>>,
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for SnpEvidence<'a> {
    fn from(report: &'a T) -> Self {
        Self {
            report: report.as_ref(),
            quoted: None,
        }
    }
}

/// Verifies a report, to the first check that fails.
pub fn verify<'e>(
    evidence: impl Into<SnpEvidence<'e>>,
    question: &SnpQuestion<'_>,
) -> Result<Verified<Genuine>, Refusal> {
    conduct(evidence.into(), question, Patience::First)
}

/// The same through every check that can be made: a refusal then lists everything that is wrong.
pub fn explain<'e>(
    evidence: impl Into<SnpEvidence<'e>>,
    question: &SnpQuestion<'_>,
) -> Result<Verified<Genuine>, Refusal> {
    conduct(evidence.into(), question, Patience::All)
}

fn conduct(
    evidence: SnpEvidence<'_>,
    question: &SnpQuestion<'_>,
    patience: Patience,
) -> Result<Verified<Genuine>, Refusal> {
    let mut until = Time(i64::MAX);
    let ((found, vtpm), transcript) = super::conduct(
        patience,
        |inspection| authenticate(evidence, question, inspection),
        |(genuine, told), inspection| {
            until = wanted((genuine, told.as_ref()), question, inspection)?;
            Ok(())
        },
    )?;
    Ok(Verified {
        asked: question.report_data.is_some() || is_fresh(vtpm.as_ref()),
        wanted: question.policy.is_some(),
        told: Some(Told::snp(&found, question.policy)),
        until: found.until().min(until),
        found,
        vtpm,
        transcript,
    })
}

fn authenticate(
    evidence: SnpEvidence<'_>,
    question: &SnpQuestion<'_>,
    inspection: &mut Inspection,
) -> Result<Vouched<Genuine>, Failed> {
    let SnpEvidence { report, quoted } = evidence;
    let wrapped = if hcl::is_wrapped(report) {
        Some(inspection.check(
            ("hcl-2", "runtime data"),
            || hcl::unwrap(report, Platform::Snp),
            |it| format!("{} bytes, which the report covers", it.runtime_data.len()),
        )?)
    } else {
        None
    };
    let bare = wrapped.as_ref().map_or(report, |it| it.report);
    let candidates = candidates(&[question.collateral], &Memory::none());
    let genuine =
        snp::genuine::authenticate(bare, &candidates, question.roots, question.now, inspection);
    let told = wrapped.and_then(|it| vtpm::inspect(it.runtime_data, quoted, inspection));
    Ok((genuine?, told))
}

/// Returns when the first thing ends that what is wanted rests on, the report aside.
fn wanted(
    found: (&Genuine, Option<&vtpm::Told>),
    question: &SnpQuestion<'_>,
    inspection: &mut Inspection,
) -> Result<Time, Failed> {
    let (genuine, told) = found;
    if let Some(expected) = question.report_data {
        appraise::report_data(genuine, expected, inspection);
    }
    let Some(policy) = question.policy else {
        let Waivers { crl, broken, .. } = question.waivers;
        snp::wanted::without_policy(genuine, crl.as_deref(), broken, inspection);
        return Ok(Time(i64::MAX));
    };
    let fresh = question.report_data.is_some() || is_fresh(told);
    let statements = (&question.collateral.statements[..], question.now);
    appraise::report_alone(found, policy, fresh, statements, inspection)
}
