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

    // The policy that appraises may be another than the one whose roots authenticated.
    let Hex(root) = genuine.root;
    if genuine.simulated {
        let named = policy.simulation.contains(&root);
        let refused = Rejection::SimulatedRootRefused {
            root: genuine.root.to_string(),
        };
        transcript.require(
            ("policy-1", "simulation"),
            named,
            refused,
            "a named simulated root",
        )?;
    }

    snp::appraise(genuine, &policy.snp, transcript)?;

    let found = Hex(claims.configuration);
    let unknown = Rejection::ConfigurationUnknown { found };
    let check = ("policy-9", "configuration");
    transcript.expect(check, Some(&policy.configuration), &found.0, unknown, found)?;

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
