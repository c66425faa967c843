//! The evidence of an epoch, as receipts name it.

use chrysalis_attestation::{
    encoding::digest::sha256,
    evidence::{Endorsements, Evidence, claims::Claims},
};

use crate::{Job, Rejection};

/// What a client has verified of the enclave, as receipts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attested {
    /// `claims.receipt_key`.
    pub receipt_key: [u8; 32],
    /// SHA-256 of the claims.
    pub claims: [u8; 32],
    /// `claims.epoch`.
    pub epoch: u64,
    /// SHA-256 of the epoch's bundle without endorsements: [`Self::bundle_digest`].
    pub evidence: [u8; 32],
}

impl Attested {
    /// What the evidence of an epoch says, with the claims that are in it.
    pub fn of(claims: &Claims, evidence: &Evidence) -> Self {
        Self {
            receipt_key: claims.receipt_key,
            claims: sha256(&[&evidence.claims]),
            epoch: claims.epoch,
            evidence: Self::bundle_digest(evidence),
        }
    }

    /// What jobs name a bundle by: SHA-256 of its encoding without endorsements, which change while the evidence stays.
    pub fn bundle_digest(evidence: &Evidence) -> [u8; 32] {
        let bare = Evidence {
            endorsements: Endorsements::default(),
            ..evidence.clone()
        };
        sha256(&[&bare.encode()])
    }

    /// Checks that a job names this evidence.
    pub(crate) fn check(&self, job: &Job) -> Result<(), Rejection> {
        for (same, what) in [
            (job.claims == self.claims, "claims"),
            (job.epoch == self.epoch, "epoch"),
            (job.evidence == self.evidence, "bundle"),
        ] {
            if !same {
                return Err(Rejection::Evidence { what });
            }
        }
        Ok(())
    }
}
