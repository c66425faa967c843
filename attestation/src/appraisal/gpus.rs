//! The GPUs' evidence on its way: first bound to the conversation, then verified, once the policy says how much proof it requires.

use crate::{
    Memory, Rejection, Time,
    encoding::digest::Hex,
    evidence::{Collateral, Endorsements},
    nvidia::{self, Devices, GpuEvidence, GpuPolicy, Grounds, chain::Claimed},
    transcript::{Failed, Inspection, ensure},
};

/// What every GPU answered, and everything that it will be verified against except the nonce and the policy.
#[derive(Debug, Clone)]
pub(super) struct Unproved {
    pub(super) evidence: Vec<GpuEvidence>,
    roots: nvidia::NvidiaRoots,
    collateral: nvidia::GpuCollateral,
    now: Time,
    memory: Memory,
}

/// GPUs that were asked about this conversation. Nothing else is known about them.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    unproved: Unproved,
    nonce: [u8; 32],
}

impl Unproved {
    /// Manifests are the verifier's own, if it has any, so that a newer edition does not count as a second one. Answers come from
    /// both: of two, the one that revokes counts.
    pub(super) fn new(
        evidence: Vec<GpuEvidence>,
        roots: &nvidia::NvidiaRoots,
        (own, stapled): (&Collateral, Endorsements),
        now: Time,
        memory: &Memory,
    ) -> Self {
        let mut ocsp = own.ocsp.clone();
        for answer in stapled.ocsp {
            if ocsp.iter().all(|known| known.der != answer.der) {
                ocsp.push(answer);
            }
        }
        let rims = match own.rims.as_slice() {
            [] => stapled.rims,
            rims => rims.to_vec(),
        };
        Self {
            evidence,
            roots: roots.clone(),
            collateral: nvidia::GpuCollateral { rims, ocsp },
            now,
            memory: memory.clone(),
        }
    }

    /// Steps bind-4 and bind-5: each was asked with this nonce, and none is counted as two.
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

    /// Step bind-5 without a known conversation: all that can be shown is that they were all asked the same.
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
            || distinct(&self.evidence, &self.memory),
            |()| "no leaf appears twice".to_owned(),
        );
        Asked {
            unproved: self,
            nonce,
        }
    }
}

fn distinct(evidence: &[GpuEvidence], memory: &Memory) -> Result<(), Rejection> {
    let mut seen = std::collections::BTreeSet::new();
    evidence.iter().try_for_each(|gpu| {
        let device = Claimed::by(&gpu.chain, memory)?.ueid;
        let new = seen.insert(device.clone());
        ensure(new, || Rejection::GpuTwice { device })
    })
}

impl Asked {
    /// The moment as of which everything is appraised.
    pub(super) fn now(&self) -> Time {
        self.unproved.now
    }

    /// This many empty entries.
    /// As of the moment when the epoch of the tests' claims began.
    #[cfg(test)]
    pub(crate) fn unread(count: usize) -> Self {
        let entry = GpuEvidence {
            report: Vec::new(),
            chain: Vec::new(),
        };
        let none = &Endorsements::default();
        let roots = &nvidia::NvidiaRoots::nvidia();
        Self {
            unproved: Unproved::new(
                vec![entry; count],
                roots,
                (none, none.clone()),
                Time(crate::evidence::claims::tests::BEGAN),
                &Memory::none(),
            ),
            nonce: [0; 32],
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.unproved.evidence.len()
    }

    /// Steps gpu-1 to gpu-11. Of the simulated roots accepted so far, only those in `simulation` count now; `None`: all.
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
            memory,
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
            memory,
        };
        nvidia::verify(evidence, &question, inspection)
    }
}
