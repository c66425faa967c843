//! A machine with one simulated GPU, and all that it is verified against. Good until a test changes something.

use std::sync::LazyLock;

use chrysalis_attestation::{
    Rejection, Time,
    alone::{
        Verified,
        gpus::{GpuQuestion, verify},
    },
    nvidia::{
        Devices, GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots,
        policy::{Proof, Revocation, Wanted},
    },
};
use chrysalis_simulate::{
    Nvidia, Profile, Purpose, Signer,
    nvidia::{Answer, Gpu},
};

pub(crate) const NONCE: [u8; 32] = [0x42; 32];
/// 2026-03-01 00:00 UTC
pub(crate) const NOW: Time = Time(1_772_323_200);
pub(crate) const WHY: &str = "this test is about something else";

/// Keys on P-384 take their time, and every test begins with the same ones.
static HONEST: LazyLock<Scene> = LazyLock::new(|| Scene::seeded(1));

/// The vendor, and its GPU before it answers.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) nvidia: Nvidia,
    pub(crate) gpu: Gpu,
}

impl Scene {
    pub(crate) fn new() -> Self {
        HONEST.clone()
    }

    /// Another vendor, whose certificates have the same names.
    pub(crate) fn of_another() -> Self {
        Self::seeded(2)
    }

    fn seeded(seed: u8) -> Self {
        let nvidia = Nvidia::from_seed(&[seed; 32], NOW);
        let gpu = nvidia.gpu(0);
        Self { nvidia, gpu }
    }

    /// A good answer about the GPU's identity.
    pub(crate) fn answer(&self) -> Answer {
        let [_, identity, provisioner, ..] = &self.gpu.chain;
        Answer::good(identity, provisioner, NOW, Some(NONCE))
    }

    /// What the GPU says after such a change.
    pub(crate) fn evidence(&self, change: impl FnOnce(&mut Gpu)) -> GpuEvidence {
        let mut gpu = self.gpu.clone();
        change(&mut gpu);
        gpu.evidence(&NONCE)
    }

    pub(crate) fn case(&self) -> Case {
        Case {
            roots: self.nvidia.roots(),
            evidence: vec![self.gpu.evidence(&NONCE)],
            collateral: GpuCollateral {
                rims: self.nvidia.rims(),
                ocsp: self.nvidia.ocsp(NOW, Some(NONCE)),
            },
            policy: GpuPolicy {
                proof: Proof::complete(),
                wanted: Wanted::any(WHY),
            },
        }
    }
}

/// A profile below whose name nothing is wrong.
pub(crate) fn profile(name: &str, purpose: Purpose) -> Profile {
    Profile::new(name, purpose, NOW)
}

/// Somebody who gave himself this name.
pub(crate) fn impostor(name: &str) -> Signer {
    let profile = profile(name, Purpose::Authority(None));
    Signer::root(chrysalis_simulate::Curve::P384, &[9; 32], profile)
}

/// A whole verification, complete and good until a test changes something.
pub(crate) struct Case {
    pub(crate) roots: NvidiaRoots,
    pub(crate) evidence: Vec<GpuEvidence>,
    pub(crate) collateral: GpuCollateral,
    pub(crate) policy: GpuPolicy,
}

impl Case {
    pub(crate) fn without_revocation(mut self) -> Self {
        self.collateral.ocsp.clear();
        self.policy.proof.revocation = Revocation::Unchecked {
            why: WHY.to_owned(),
        };
        self
    }

    pub(crate) fn without_rims(mut self) -> Self {
        self.collateral.rims.clear();
        self.policy.proof.rims_unchecked = Some(WHY.to_owned());
        self
    }

    pub(crate) fn verify(&self) -> Result<Verified<Devices>, Rejection> {
        self.verify_under(&self.roots)
    }

    pub(crate) fn verify_under(&self, roots: &NvidiaRoots) -> Result<Verified<Devices>, Rejection> {
        let question = GpuQuestion {
            policy: Some(&self.policy),
            ..GpuQuestion::new(&NONCE, roots, &self.collateral, NOW)
        };
        verify(&self.evidence, &question).map_err(|refusal| refusal.rejection)
    }
}
