//! What a verifier goes without by its own word, where no policy says so.

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

/// Inputs that a verifier goes without, each for a reason that the verdict then tells. `None`: its lack is a refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waivers {
    /// AMD's revocation list.
    pub crl: Option<String>,
    /// OCSP answers about GPUs and their manifests.
    pub ocsp: Option<String>,
    /// NVIDIA's manifests.
    pub rim: Option<String>,
    /// The firmware's identity in GPU reports of 2023, which lack it.
    pub fwid: Option<String>,
    /// A TD's event log, which only a policy asks for.
    pub event_log: Option<String>,
    /// Evidence for this very conversation, which only a policy asks for.
    pub freshness: Option<String>,
    /// The conversation. Without it nothing is bound, and no policy is ever met.
    pub session: Option<String>,
    /// AMD's product lines that are known to be broken.
    pub broken: Accepted,
}

/// Goes without nothing.
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
    /// None at all: whatever is missing is a refusal.
    pub fn none() -> &'static Self {
        &NONE
    }

    /// What GPUs owe where there is no policy: proof, and nothing else.
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

    /// The policy with these reasons where it has none of its own. The conversation is no policy's to waive; broken hardware is
    /// the policy's alone.
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
