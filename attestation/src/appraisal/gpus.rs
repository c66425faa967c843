//! The GPUs' evidence on its way: bound to the conversation first, and verified once the policy says how much proof it wants.

use crate::{
    Rejection, Time,
    encoding::digest::Hex,
    evidence::{Collateral, Endorsements},
    nvidia::{self, Devices, GpuEvidence, GpuPolicy, Grounds},
    transcript::{Failed, Inspection, ensure},
};

/// What every GPU answered, and all that it will be verified against but the nonce and the policy.
#[derive(Debug, Clone)]
pub(super) struct Unproved {
    pub(super) evidence: Vec<GpuEvidence>,
    roots: nvidia::NvidiaRoots,
    collateral: nvidia::GpuCollateral,
    now: Time,
}

/// GPUs that were asked about this conversation. Nothing else of them is known.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    unproved: Unproved,
    nonce: [u8; 32],
}

impl Unproved {
    /// Manifests are the verifier's own, where it has any, so that a newer edition is no second one. Answers are everybody's:
    /// of two, the one that revokes counts.
    pub(super) fn new(
        evidence: Vec<GpuEvidence>,
        roots: &nvidia::NvidiaRoots,
        (own, stapled): (&Collateral, &Endorsements),
        now: Time,
    ) -> Self {
        let mut ocsp = own.ocsp.clone();
        for answer in &stapled.ocsp {
            if ocsp.iter().all(|known| known.der != answer.der) {
                ocsp.push(answer.clone());
            }
        }
        let rims = if own.rims.is_empty() { stapled } else { own }.rims.clone();
        Self {
            evidence,
            roots: roots.clone(),
            collateral: nvidia::GpuCollateral { rims, ocsp },
            now,
        }
    }

    /// Steps bind-4 and bind-5: each was asked with this nonce, and none stands for two.
    pub(super) fn bind(self, nonce: [u8; 32], inspection: &mut Inspection) -> Asked {
        let asked = || {
            self.evidence.iter().try_for_each(|gpu| {
                let found = gpu.claimed_nonce()?;
                ensure(found == nonce, || Rejection::GpuNonceMismatch {
                    found: Hex(found),
                })
            })
        };
        let count = self.evidence.len();
        inspection.note(("bind-4", "GPU nonce"), asked, |()| {
            format!("{} in the question to {count} GPU(s)", Hex(nonce))
        });
        self.with_nonce(nonce, inspection)
    }

    /// Step bind-5, where nobody knows the conversation: that they were all asked the same is all that can be said.
    pub(super) fn unbound(self, why: &str, inspection: &mut Inspection) -> Asked {
        let nonce = match self.evidence.first().map(GpuEvidence::claimed_nonce) {
            Some(Ok(nonce)) => {
                inspection.skip(("bind-4", "GPU nonce"), why);
                nonce
            }
            Some(Err(unreadable)) => {
                inspection.fail(("bind-4", "GPU nonce"), unreadable);
                [0; 32]
            }
            None => [0; 32],
        };
        self.with_nonce(nonce, inspection)
    }

    fn with_nonce(self, nonce: [u8; 32], inspection: &mut Inspection) -> Asked {
        inspection.note(
            ("bind-5", "distinct GPUs"),
            || distinct(&self.evidence),
            |()| "no leaf is there twice".to_owned(),
        );
        Asked {
            unproved: self,
            nonce,
        }
    }
}

fn distinct(evidence: &[GpuEvidence]) -> Result<(), Rejection> {
    let mut seen = std::collections::BTreeSet::new();
    evidence.iter().try_for_each(|gpu| {
        let device = gpu.claimed_device()?;
        let new = seen.insert(device.clone());
        ensure(new, || Rejection::GpuTwice { device })
    })
}

impl Asked {
    /// So many entries that say nothing.
    #[cfg(test)]
    pub(crate) fn unread(count: usize) -> Self {
        let entry = GpuEvidence {
            report: Vec::new(),
            chain: Vec::new(),
        };
        let none = &Endorsements::default();
        let roots = &nvidia::NvidiaRoots::nvidia();
        Self {
            unproved: Unproved::new(vec![entry; count], roots, (none, none), Time(0)),
            nonce: [0; 32],
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.unproved.evidence.len()
    }

    /// Steps gpu-1 to gpu-11. Of the simulated roots that authenticated, only those in `simulation` count now; `None`: all.
    pub(crate) fn verify(
        &self,
        policy: &GpuPolicy,
        simulation: Option<&[[u8; 32]]>,
        inspection: &mut Inspection,
    ) -> Result<Devices, Failed> {
        let Unproved {
            evidence,
            roots,
            collateral,
            now,
        } = &self.unproved;
        let roots = match simulation {
            Some(named) => &roots.simulating_only(named),
            None => roots,
        };
        let question = Grounds {
            nonce: &self.nonce,
            roots,
            collateral,
            policy,
            now: *now,
        };
        nvidia::verify(evidence, &question, inspection)
    }
}
