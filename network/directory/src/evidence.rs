//! An epoch's evidence, judged under the network's policy. It was made when the epoch began, for no conversation: a directory opens none.

use std::{fmt, sync::Arc};

use chrysalis_attestation::{
    Collateral, Memory, Rejection, Time, Trusted, Unverified, Waivers,
    evidence::{Evidence, binding::Session},
    policy::{EpochAge, Policy},
};
use chrysalis_network::chip;
use chrysalis_settle::{Attested, EpochEvidence};

/// Finds collateral for evidence, which has not been verified yet. What is missing is left out.
pub type Bring = Arc<dyn Fn(&Evidence) -> Collateral + Send + Sync>;

/// Why evidence need not have been made for a conversation.
const NO_CONVERSATION: &str = "a directory has no conversation with the enclave";

/// A policy, and what is brought to every verification.
#[derive(Clone)]
pub struct Judge {
    policy: Policy,
    bring: Bring,
    /// Of vendors' signatures, which the evidence of many machines has in common.
    memory: Memory,
}

/// What evidence says, once it has been verified.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) trusted: Arc<Trusted>,
    pub(crate) attested: Attested,
    pub(crate) chip: [u8; 32],
    /// When the first thing that the verdict rests on ends, the epoch included.
    pub(crate) until: Time,
}

impl Judge {
    /// A judge under this policy.
    pub fn new(policy: Policy, bring: Bring) -> Self {
        let waivers = Waivers {
            freshness: Some(NO_CONVERSATION.to_owned()),
            ..Waivers::default()
        };
        let mut policy = waivers.applied_to(policy);
        // How a connection's keys were agreed is for those to say who have one.
        policy.key_agreement = None;
        Self {
            policy,
            bring,
            memory: Memory::new(),
        }
    }

    pub(crate) fn judge(&self, epoch: &EpochEvidence, now: Time) -> Result<Judged, Rejection> {
        let evidence = Evidence::decode(&epoch.bundle)?;
        let collateral = (self.bring)(&evidence);
        let trusted = Unverified::new(evidence.clone())
            .remembered_by(&self.memory)
            .authenticate(&self.policy.roots(), &collateral, now)
            .and_then(|authentic| authentic.bind(&Session::Boot, &epoch.spki))
            .and_then(|bound| bound.agreed(None).appraise(&self.policy))
            .map_err(|refusal| refusal.rejection)?;
        let claims = trusted.claims();
        let lasts = match self.policy.max_epoch_age {
            EpochAge::Epochs => claims.epoch_seconds.saturating_mul(EpochAge::EPOCHS),
            EpochAge::Seconds(seconds) => seconds,
            EpochAge::Unchecked { .. } => u64::MAX,
        };
        let ends = claims.epoch_began.saturating_add_unsigned(lasts);
        Ok(Judged {
            attested: Attested::of(claims, &evidence),
            chip: chip(trusted.cpu()),
            until: trusted.until().min(Time(ends)),
            trusted: Arc::new(trusted),
        })
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Judge")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
