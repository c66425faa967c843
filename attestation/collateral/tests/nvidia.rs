//! NVIDIA's services, played by a local one with a simulated vendor's objects: a GPU verified from the folder alone.

#![allow(clippy::unwrap_used, reason = "what helps a test fails as a test does")]

mod common;

use chrysalis_attestation::{
    Rejection, Time, Waivers,
    alone::gpus::{GpuQuestion, verify},
    nvidia::{
        GpuEvidence, GpuPolicy,
        needs::{of_device, of_rim},
        policy::{Proof, Revocation, Wanted},
    },
};
use chrysalis_collateral::{Anchors, FetchError, Refresh, Wish};
use chrysalis_simulate::{
    Nvidia,
    nvidia::{Answer as Ocsp, CertificateStatus},
};
use common::{Stage, codes, ok, services};

/// 2026-12-01 12:00 UTC
const NOW: Time = Time(1_796_126_400);
const NONCE: [u8; 32] = [0x42; 32];
const DAY: i64 = 24 * 3600;

/// A vendor, its one GPU, and the services that know both.
struct Case {
    nvidia: Nvidia,
    gpus: Vec<GpuEvidence>,
    stage: Stage,
}

impl Case {
    fn new() -> Self {
        let nvidia = Nvidia::from_seed(&[7; 32], NOW);
        let gpus = vec![nvidia.gpu(0).evidence(&NONCE)];
        let anchors = Anchors {
            nvidia: nvidia.roots(),
            ..Anchors::vendors()
        };
        let case = Self {
            stage: Stage::new(NOW, anchors),
            gpus,
            nvidia,
        };
        services::nvidia(&case.stage.local, &case.nvidia, &case.gpus[0], NOW);
        case
    }

    /// Has every certificate's answer made at this time.
    fn respond(&self, at: Time) {
        services::respond(&self.stage.local, &self.nvidia, at);
    }

    fn verdict(&self) -> Result<usize, Rejection> {
        let collateral = self.stage.store.for_gpus(&self.gpus).unwrap();
        let policy = GpuPolicy {
            proof: Proof {
                revocation: Revocation::Stapled,
                ..Proof::complete()
            },
            wanted: Wanted::any("this test is about the collateral"),
        };
        let question = GpuQuestion {
            nonce: &NONCE,
            roots: &self.stage.anchors.nvidia,
            collateral: &collateral,
            policy: Some(&policy),
            waivers: Waivers::none(),
            now: self.stage.world.now.get(),
        };
        verify(&self.gpus, &question)
            .map(|verified| verified.gpus().len())
            .map_err(|refusal| refusal.rejection)
    }
}

#[test]
fn a_gpu_is_verified_from_the_folder_alone() {
    let case = Case::new();
    let wish = Wish::of_gpus(&case.gpus).unwrap();
    let gathered = case.stage.gather(&wish, Refresh::Due);
    // Two manifests, three certificates of the device, and three of the one chain that signed both manifests.
    assert_eq!(codes(&gathered), [""; 8]);
    assert_eq!(case.verdict(), Ok(1));
    let asked: Vec<_> = of_device(&case.gpus[0])
        .into_iter()
        .chain(of_rim(&case.nvidia.rims()[0]).unwrap())
        .collect();
    assert_eq!(asked.len(), 6);
}

#[test]
fn answers_of_yesterday_are_fetched_anew() {
    let case = Case::new();
    let wish = Wish::of_gpus(&case.gpus).unwrap();
    case.stage.gather(&wish, Refresh::Due);
    let tomorrow = Time(NOW.0 + DAY + 3600);
    case.stage.world.now.set(tomorrow);
    assert_eq!(case.verdict().map_err(|it| it.code()), Err("ocsp_expired"));
    case.stage.local.forget();
    case.respond(tomorrow);
    assert_eq!(codes(&case.stage.gather(&wish, Refresh::Due)), [""; 8]);
    assert!(
        case.stage
            .local
            .lines()
            .iter()
            .all(|line| line.starts_with("POST "))
    );
    assert_eq!(case.stage.local.lines().len(), 6);
    assert_eq!(case.verdict(), Ok(1));
}

#[test]
fn keeps_no_answer_about_another_certificate_and_keeps_bad_news() {
    let case = Case::new();
    let pairs = case.nvidia.revocable();
    let [(first, first_issuer), (second, second_issuer), ..] = &pairs[..] else {
        panic!()
    };
    let other = Ocsp::good(second, second_issuer, NOW, None).encode();
    case.stage
        .local
        .respond(&Ocsp::id(first, first_issuer), ok(&other));
    let wish = Wish::of_gpus(&case.gpus).unwrap();
    let mut gathered = case.stage.gather(&wish, Refresh::Due);
    let FetchError::Unfit { rejection, .. } = gathered.swap_remove(2).outcome.unwrap_err().error
    else {
        panic!()
    };
    let which = "questioned";
    assert_eq!(*rejection, Rejection::OcspMissing { which });

    let revoked = case.nvidia.ocsp_with(NOW, None, |_, answer| {
        answer.status = CertificateStatus::Revoked {
            since: NOW,
            reason: 1,
        };
    });
    case.stage
        .local
        .respond(&Ocsp::id(first, first_issuer), ok(&revoked[0].der));
    assert_eq!(codes(&case.stage.gather(&wish, Refresh::Due)), [""; 8]);
    assert_eq!(case.verdict().map_err(|it| it.code()), Err("ocsp_revoked"));
}
