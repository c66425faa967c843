//! Evidence of a conversation, against what somebody wants.

use chrysalis_attestation::{
    Collateral, Found, Question, Refusal, Time, Unverified, Waivers,
    evidence::{Evidence, KeyAgreement, binding::Session},
    policy::{EpochAge, Policy},
    roots::Roots,
};

use crate::Misuse;

/// What evidence is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// What is wanted, with the waivers applied to it; `None`: the vendors' roots alone.
    pub policy: Option<&'a Policy>,
    /// What the verification goes without.
    pub waivers: &'a Waivers,
    /// What bears on the evidence.
    pub collateral: &'a Collateral,
    /// The moment to judge by.
    pub now: Time,
    /// Whether to go on after what is wrong.
    pub explain: bool,
}

impl Judging<'_> {
    /// The verdict on evidence by itself or of a conversation.
    pub fn judge(
        &self,
        evidence: Evidence,
        conversation: Option<(&Session, &[u8])>,
        agreement: Option<KeyAgreement>,
    ) -> Result<Found, Refusal> {
        let question = Question {
            roots: &self.policy.map_or_else(Roots::vendors, Policy::roots),
            collateral: self.collateral,
            now: self.now,
            conversation,
            agreement,
            policy: self.policy,
            waivers: self.waivers,
        };
        let evidence = Unverified::new(evidence);
        if self.explain {
            evidence.explain(&question)
        } else {
            evidence.verify(&question)
        }
    }
}

/// The key agreement of this name, as a person writes it.
pub fn agreement(name: &str) -> Result<KeyAgreement, Misuse> {
    KeyAgreement::named(name).ok_or_else(|| {
        Misuse::new(
            "no key agreement has this name; write X25519MLKEM768, X-Wing, x25519, secp256r1 or secp384r1",
        )
    })
}

/// The policy for evidence that need not be fresh, nor of an epoch that goes on, for this reason.
#[must_use]
pub fn of_the_past(policy: Policy, why: &str) -> Policy {
    let waivers = Waivers {
        freshness: Some(why.to_owned()),
        ..Waivers::default()
    };
    let mut policy = waivers.applied_to(policy);
    policy.max_epoch_age = EpochAge::Unchecked {
        why: why.to_owned(),
    };
    policy
}
