//! The quote of a TD: is it genuine, and does it satisfy a policy, if there is one?

use super::{Verified, Vouched, is_fresh};
use crate::{
    Memory, Time,
    appraisal::{appraise, told::Told},
    azure::{
        td::{self as azure, Wrapping},
        vtpm::Quoted,
    },
    policy::{ReleasePolicy, Waivers},
    release::Rebuilders,
    tdx::{self, Genuine, Grounds, IntelCollateral, IntelRoots, TdxPolicy, policy::NOTHING_ASKED},
    transcript::{Expect, Failed, Inspection, NO_POLICY, Patience, Refusal},
};

/// What a quote is verified against.
#[derive(Debug, Clone, Copy)]
pub struct TdxQuestion<'a> {
    /// Whose chains count.
    pub roots: &'a IntelRoots,
    /// What Intel says about the platform.
    pub collateral: &'a IntelCollateral,
    /// The time.
    pub now: Time,
    /// What is wanted; without it, the verdict is about genuineness only.
    pub policy: Option<&'a TdxPolicy>,
    /// Which release the policy's digests come from, if any, and what its publisher signed.
    pub release: Option<(&'a ReleasePolicy, &'a [Vec<u8>])>,
    /// Who must confirm the image, and the rebuilders' statements.
    pub rebuilders: Option<(&'a Rebuilders, &'a [Vec<u8>])>,
    /// What the TD was asked to sign: 64 bytes. It takes precedence over the policy's.
    pub report_data: Option<&'a [u8; 64]>,
    /// Which inputs may be missing, where the policy does not say.
    pub waivers: &'a Waivers,
}

impl<'a> TdxQuestion<'a> {
    /// Asks whether a quote is genuine, with nothing waived. Set the other fields to ask for more, or for less.
    pub fn new(roots: &'a IntelRoots, collateral: &'a IntelCollateral, now: Time) -> Self {
        Self {
            roots,
            collateral,
            now,
            policy: None,
            release: None,
            rebuilders: None,
            report_data: None,
            waivers: Waivers::none(),
        }
    }
}

/// A quote as it came.
#[derive(Debug, Clone, Copy)]
pub struct TdxEvidence<'a> {
    /// The quote.
    pub quote: &'a [u8],
    /// What was measured into the run-time registers, according to the guest.
    pub event_log: Option<&'a [u8]>,
    /// On Azure, the HCL report around the `TDREPORT` that the quote was made from.
    pub hcl_report: Option<&'a [u8]>,
    /// The quote of Azure's virtual TPM, whose key the HCL report covers. If it answers the caller's nonce, the evidence is fresh, and
    /// there is no need to say what REPORTDATA should be.
    pub quoted: Option<&'a Quoted<'a>>,
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for TdxEvidence<'a> {
    fn from(quote: &'a T) -> Self {
        Self {
            quote: quote.as_ref(),
            event_log: None,
            hcl_report: None,
            quoted: None,
        }
    }
}

/// Verifies the quote of a TD, to the first check that fails.
pub fn verify<'e>(
    evidence: impl Into<TdxEvidence<'e>>,
    question: &TdxQuestion<'_>,
) -> Result<Verified<Genuine>, Refusal> {
    conduct(evidence.into(), question, Patience::First)
}

/// The same through every check that can be made: a refusal then lists everything that is wrong.
pub fn explain<'e>(
    evidence: impl Into<TdxEvidence<'e>>,
    question: &TdxQuestion<'_>,
) -> Result<Verified<Genuine>, Refusal> {
    conduct(evidence.into(), question, Patience::All)
}

fn conduct(
    evidence: TdxEvidence<'_>,
    question: &TdxQuestion<'_>,
    patience: Patience,
) -> Result<Verified<Genuine>, Refusal> {
    let policy = question.wanted();
    let mut until = Time(i64::MAX);
    let ((found, vtpm), transcript) = super::conduct(
        patience,
        |inspection| authenticate(evidence, question, &policy, inspection),
        |found, inspection| {
            until = appraise_td(found, evidence.event_log, question, &policy, inspection);
            Ok(())
        },
    )?;
    let release = question.release.map(|(release, _)| release);
    let wanted = question.policy.map(|policy| (Some(policy), release));
    Ok(Verified {
        asked: question.report_data.is_some() || is_fresh(vtpm.as_ref()),
        wanted: wanted.is_some(),
        told: Some(Told::tdx(&found, wanted)),
        until: found.until().min(until),
        found,
        vtpm,
        transcript,
    })
}

impl TdxQuestion<'_> {
    /// What is wanted, including what the caller asked for and waives.
    fn wanted(&self) -> TdxPolicy {
        let genuine = || TdxPolicy::genuine(NO_POLICY);
        let mut policy = self.policy.cloned().unwrap_or_else(genuine);
        if policy.event_log_unchecked.is_none() {
            policy
                .event_log_unchecked
                .clone_from(&self.waivers.event_log);
        }
        match (self.report_data, &self.waivers.freshness) {
            (Some(asked), _) => policy.report_data = Expect::AnyOf(vec![*asked]),
            (None, Some(why)) if policy.report_data == NOTHING_ASKED => {
                policy.report_data = Expect::Unchecked { why: why.clone() };
            }
            _ => {}
        }
        policy
    }
}

/// Steps tdx-1 to tdx-7, and those of Azure's wrapping if there is one.
fn authenticate(
    evidence: TdxEvidence<'_>,
    question: &TdxQuestion<'_>,
    policy: &TdxPolicy,
    inspection: &mut Inspection,
) -> Result<Vouched<Genuine>, Failed> {
    let wrapping = evidence.hcl_report.map(|hcl| Wrapping {
        hcl,
        quoted: evidence.quoted,
    });
    let unwrapped = match wrapping {
        Some(wrapping) => Some(wrapping.unwrap(inspection)?),
        None => None,
    };
    let grounds = Grounds {
        roots: question.roots,
        collateral: question.collateral,
        trailing_accepted: policy.trailing_accepted.as_deref(),
        now: question.now,
        memory: &Memory::none(),
    };
    let found = tdx::authenticate(evidence.quote, grounds, inspection);
    let vtpm = unwrapped.and_then(|unwrapped| {
        let report = found.as_ref().ok().map(|found| &found.report);
        unwrapped.inspect(report, inspection)
    });
    let found = found?;
    let (report, platform) = (found.report, found.platform.clone());
    match found.complete() {
        Ok(genuine) => Ok((genuine, vtpm)),
        Err(failed) => {
            let policy = azure::answered(policy, vtpm.as_ref(), &report);
            let beside = (evidence.event_log, vtpm.as_ref());
            appraise::td_without_standing((&report, &platform), &policy, beside, inspection);
            Err(failed)
        }
    }
}

/// Steps tdx-8 and tdx-9, policy-13, policy-14 and policy-17. Returns when the first thing ends that they rest on, the TD aside.
fn appraise_td(
    (genuine, vtpm): &mut Vouched<Genuine>,
    event_log: Option<&[u8]>,
    question: &TdxQuestion<'_>,
    policy: &TdxPolicy,
    inspection: &mut Inspection,
) -> Time {
    let policy = azure::answered(policy, vtpm.as_ref(), &genuine.td().report);
    let beside = (event_log, vtpm.as_ref());
    appraise::td(genuine, &policy, beside, inspection);
    let measured = genuine.td().report.measured();
    if let Some((rebuilders, statements)) = question.rebuilders {
        appraise::rebuilders(Some(rebuilders), statements, &measured, inspection);
    }
    let (release, statements) = question.release.unzip();
    appraise::release(release, inspection);
    let statements = (statements.unwrap_or_default(), question.now);
    appraise::endorsement(release, statements, &measured, inspection)
}
