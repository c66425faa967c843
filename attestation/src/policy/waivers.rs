//! Which missing inputs a verifier accepts on its own, where no policy does.

use super::Policy;
use std::collections::BTreeMap;

use crate::{
    nvidia::{
        GpuPolicy,
        policy::{Proof, Revocation, Wanted},
    },
    snp::broken::Accepted,
    transcript::NO_POLICY,
};

/// Inputs that may be missing, each for a reason that the verdict then states. `None`: evidence without the input is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waivers {
    /// AMD's revocation list.
    pub crl: Option<String>,
    /// OCSP answers about GPUs and their manifests.
    pub ocsp: Option<String>,
    /// NVIDIA's manifests.
    pub rim: Option<String>,
    /// The firmware's identity, which GPU reports of 2023 do not have.
    pub fwid: Option<String>,
    /// A TD's event log, which only a policy requires.
    pub event_log: Option<String>,
    /// Evidence made for this very conversation, which only a policy requires.
    pub freshness: Option<String>,
    /// The conversation. Without it nothing is bound, and no policy is ever satisfied.
    pub session: Option<String>,
    /// AMD's product lines that are known to be broken.
    pub broken: Accepted,
}

/// Waives nothing.
static NONE: Waivers = Waivers {
    crl: None,
    ocsp: None,
    rim: None,
    fwid: None,
    event_log: None,
    freshness: None,
    session: None,
    broken: BTreeMap::new(),
};

impl Waivers {
    /// No waivers: a missing input means refusal.
    pub fn none() -> &'static Self {
        &NONE
    }

    /// What GPUs must show where there is no policy: only proof that they are genuine.
    pub(crate) fn gpu_policy(&self) -> GpuPolicy {
        let revocation = match &self.ocsp {
            Some(why) => Revocation::Unchecked { why: why.clone() },
            None => Revocation::Stapled,
        };
        let proof = Proof {
            revocation,
            rims_unchecked: self.rim.clone(),
            fwid_unchecked: self.fwid.clone(),
            ..Proof::offline()
        };
        GpuPolicy {
            proof,
            wanted: Wanted::any(NO_POLICY),
        }
    }

    /// The policy with these reasons where it has none of its own. No policy can waive the conversation; only the policy itself can
    /// accept broken hardware.
    #[must_use]
    pub fn applied_to(&self, mut policy: Policy) -> Policy {
        let adopt = |theirs: &mut Option<String>, ours: &Option<String>| {
            if theirs.is_none() {
                theirs.clone_from(ours);
            }
        };
        if let Some(snp) = &mut policy.snp {
            adopt(&mut snp.revocation_unchecked, &self.crl);
        }
        if let Some(tdx) = &mut policy.tdx {
            adopt(&mut tdx.event_log_unchecked, &self.event_log);
        }
        if let Some(gpu) = &mut policy.gpu {
            let proof = &mut gpu.proof;
            adopt(&mut proof.rims_unchecked, &self.rim);
            adopt(&mut proof.fwid_unchecked, &self.fwid);
            if let (Some(why), false) = (
                &self.ocsp,
                matches!(proof.revocation, Revocation::Unchecked { .. }),
            ) {
                proof.revocation = Revocation::Unchecked { why: why.clone() };
            }
        }
        adopt(&mut policy.freshness_unchecked, &self.freshness);
        policy
    }
}
