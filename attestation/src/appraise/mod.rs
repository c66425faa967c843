//! The policy's checks, in the order of docs/spec/verification.md. Everything here is about evidence that is genuine and bound.

mod checks;
mod snp;
#[cfg(test)]
pub(crate) mod tests;

use crate::{
    Rejection, binding::Session, claims::Claims, digest::Hex, policy::Policy, snp::verify::Genuine,
    verdict::Transcript,
};

/// What is appraised.
pub(crate) struct Subject<'a> {
    pub(crate) genuine: &'a Genuine,
    pub(crate) claims: &'a Claims,
    pub(crate) gpus: usize,
    pub(crate) session: &'a Session,
}

/// Holds the subject against the policy.
pub(crate) fn appraise(
    subject: &Subject<'_>,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let Subject {
        genuine,
        claims,
        gpus,
        session,
    } = subject;

    simulation(genuine, policy, transcript)?;
    snp::appraise(genuine, &policy.snp, transcript)?;

    configuration(claims.configuration, policy, transcript)?;

    let check = ("policy-10", "known answer");
    transcript.require(
        check,
        claims.known_answer,
        Rejection::KnownAnswerFailed,
        "given",
    )?;

    let unexpected = Rejection::GpuUnexpected { found: *gpus };
    let check = ("policy-11", "GPUs");
    transcript.require(check, *gpus == 0, unexpected, "none, as the policy wants")?;

    let fresh = matches!(session, Session::Asked { .. });
    let why = policy.freshness_unchecked.as_deref();
    transcript.waivable(
        ("policy-12", "freshness"),
        fresh,
        why,
        Rejection::FreshnessUnchecked,
    )
}

/// Holds a report against the policy that came without claims, GPUs and a conversation.
///
/// `fresh` says that its `REPORT_DATA` is what the relying party asked for.
pub(crate) fn appraise_alone(
    genuine: &Genuine,
    policy: &Policy,
    fresh: bool,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    simulation(genuine, policy, transcript)?;
    snp::appraise(genuine, &policy.snp, transcript)?;
    configuration(genuine.report.host_data, policy, transcript)?;
    let alone = "a report alone does not tell";
    transcript.not_checked("policy-10", "known answer", alone);
    transcript.not_checked("policy-11", "GPUs", alone);
    let why = policy.freshness_unchecked.as_deref();
    transcript.waivable(
        ("policy-12", "freshness"),
        fresh,
        why,
        Rejection::FreshnessUnchecked,
    )
}

/// What is required where nobody brought a policy: memory that is private, and a list that says who is revoked.
pub(crate) fn appraise_without_policy(
    genuine: &Genuine,
    revocation_unchecked: Option<&str>,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    if !genuine.chip_compared {
        let why = "the host masks the chip, or a provider's key signed";
        transcript.not_checked("policy-1", "certified chip", why);
    }
    transcript.waivable(
        ("policy-2", "revocation"),
        genuine.validity.revocation_until.is_some(),
        revocation_unchecked,
        Rejection::RevocationUnchecked,
    )?;
    snp::private(genuine, transcript)
}

/// The policy that appraises may be another than the one whose roots authenticated.
fn simulation(
    genuine: &Genuine,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    if !genuine.simulated {
        return Ok(());
    }
    let Hex(root) = genuine.root;
    let named = policy.simulation.contains(&root);
    let refused = Rejection::SimulatedRootRefused {
        root: genuine.root.to_string(),
    };
    let check = ("policy-1", "simulation");
    transcript.require(check, named, refused, "a named simulated root")
}

fn configuration(
    found: [u8; 32],
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let found = Hex(found);
    let unknown = Rejection::ConfigurationUnknown { found };
    let check = ("policy-9", "configuration");
    transcript.expect(check, Some(&policy.configuration), &found.0, unknown, found)
}

/// `REPORT_DATA` is what was asked for.
pub(crate) fn report_data(
    genuine: &Genuine,
    expected: &[u8; 64],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let found = Hex(genuine.report.report_data);
    let unknown = Rejection::PinUnknown {
        field: "REPORT_DATA",
        found: found.to_string(),
    };
    let check = ("policy-7", "report data");
    transcript.require(check, found.0 == *expected, unknown, found)
}
