//! A whole bundle, a TD with a GPU: what it needs of Intel and NVIDIA is fetched, and it is judged from the folder alone.

#![allow(clippy::unwrap_used, reason = "what helps a test fails as a test does")]

mod common;

use chrysalis_attestation::{
    Collateral, Rejection, Time, Unverified, Waivers,
    evidence::{
        CpuReport, Endorsements, Evidence,
        binding::{Anchor, Session},
        claims::{Claims, EngineClaim, ModelClaim, PROFILE},
        encode_gpus,
    },
    nvidia::needs::rim_ids,
};
use chrysalis_collateral::{Anchors, Refresh, Wish};
use chrysalis_simulate::{
    Intel, Nvidia,
    intel::TdProfile,
    service::{TCB_INFO, rim_path},
};
use common::{Stage, codes, services, status};

/// 2026-12-01 12:00 UTC
const NOW: Time = Time(1_796_126_400);
const DAY: i64 = 24 * 3600;
const SPKI: &[u8] = b"the key that ends TLS";
const SESSION: Session = Session::Asked {
    nonce: [1; 32],
    exporter: [2; 32],
};

/// A TD with one GPU, asked in [`SESSION`], and the services that know both.
struct Case {
    intel: Intel,
    nvidia: Nvidia,
    bundle: Evidence,
    stage: Stage,
}

impl Case {
    fn new() -> Self {
        let (intel, nvidia) = (
            Intel::from_seed(&[7; 32], NOW),
            Nvidia::from_seed(&[8; 32], NOW),
        );
        let claims = Claims {
            profile: PROFILE.to_owned(),
            release: "1".to_owned(),
            configuration: [3; 32],
            engines: vec![EngineClaim {
                name: "llama-cpu".to_owned(),
                version: "e".to_owned(),
                disk: [0x22; 32],
            }],
            models: vec![ModelClaim {
                name: "m".to_owned(),
                kind: "chat".to_owned(),
                engine: "llama-cpu".to_owned(),
                disk: [0x55; 32],
                weights: [4; 32],
                tokenizer: Some([0x66; 32]),
                template: Some([5; 32]),
            }],
            known_answer: true,
            receipt_key: [0x77; 32],
            hpke_key: [0x09; 32],
            epoch: 0,
            epoch_began: NOW.0,
            epoch_seconds: 600,
        }
        .encode();
        let anchor = Anchor::new(&SESSION, SPKI, &claims);
        let gpus = vec![nvidia.gpu(0).evidence(&anchor.gpu_nonce())];
        let quote = intel.quote(&TdProfile {
            report_data: anchor.report_data(&encode_gpus(&gpus)),
            ..TdProfile::default()
        });
        let anchors = Anchors {
            intel: intel.roots(),
            nvidia: nvidia.roots(),
            ..Anchors::vendors()
        };
        let stage = Stage::new(NOW, anchors);
        services::intel(&stage.local, &intel.collateral(NOW));
        services::nvidia(&stage.local, &nvidia, &gpus[0], NOW);
        Self {
            bundle: Evidence {
                cpu: CpuReport::Tdx {
                    quote,
                    event_log: Vec::new(),
                },
                claims,
                gpus,
                endorsements: Endorsements::default(),
            },
            intel,
            nvidia,
            stage,
        }
    }

    fn fetch(&self) -> Vec<&'static str> {
        let wish = Wish::of_bundle(&self.bundle).unwrap();
        codes(&self.stage.gather(&wish, Refresh::Due))
    }

    /// What a verifier says who has this and no network.
    fn judged_with(&self, collateral: &Collateral) -> Result<usize, Rejection> {
        Unverified::new(self.bundle.clone())
            .authenticate(&self.stage.anchors, collateral, self.stage.world.now.get())
            .and_then(|authentic| authentic.bind(&SESSION, SPKI))
            .and_then(|bound| bound.without_policy(&Waivers::default()))
            .map(|genuine| genuine.peer().gpus().len())
            .map_err(|refusal| refusal.rejection)
    }

    fn supplied(&self) -> Collateral {
        self.stage.store.for_bundle(&self.bundle).unwrap()
    }

    fn judged(&self) -> Result<usize, Rejection> {
        self.judged_with(&self.supplied())
    }
}

#[test]
fn a_td_and_its_gpu_are_verified_from_the_folder_alone() {
    let case = Case::new();
    // Intel's four, two manifests, three certificates of the device, three of the chain that signed both manifests.
    assert_eq!(case.fetch(), [""; 12]);
    assert_eq!(case.judged(), Ok(1));
    case.stage.local.forget();
    assert_eq!(case.fetch(), [""; 12]);
    assert_eq!(case.stage.local.lines(), Vec::<String>::new());
}

/// A refusal for want of something, whose hint says how to get it.
fn lacking(judged: Result<usize, Rejection>) -> Rejection {
    let rejection = judged.unwrap_err();
    let hint = rejection.hint();
    assert!(hint.contains("`chrysalis fetch"), "{hint}");
    rejection
}

#[test]
fn names_collateral_of_intel_that_is_not_all_there() {
    let case = Case::new();
    assert_eq!(lacking(case.judged()), Rejection::TdxCollateralMissing);
    // One of four is not to be had: the other three are of no use.
    case.stage.local.answer(TCB_INFO, [status(404)]);
    assert_eq!(case.fetch()[0], "not_known");
    assert_eq!(lacking(case.judged()), Rejection::TdxCollateralMissing);
}

#[test]
fn names_the_manifest_that_is_not_there() {
    let case = Case::new();
    let [_, vbios] = &rim_ids(&case.bundle.gpus[0]).unwrap()[..] else {
        panic!("a GPU has two manifests")
    };
    let path = rim_path(vbios);
    case.stage.local.answer(&path, [status(404)]);
    assert_eq!(case.fetch()[5], "not_known");
    let (kind, id) = ("VBIOS", vbios.clone());
    assert_eq!(lacking(case.judged()), Rejection::RimMissing { kind, id });
}

#[test]
fn names_the_certificate_without_an_answer_unless_one_is_stapled() {
    let mut case = Case::new();
    case.fetch();
    let answers = case.supplied().ocsp;
    let without = Collateral {
        ocsp: Vec::new(),
        ..case.supplied()
    };
    let missing = lacking(case.judged_with(&without));
    assert_eq!(missing.code(), "ocsp_missing");
    case.bundle.endorsements.ocsp = answers;
    assert_eq!(case.judged_with(&without), Ok(1));
}

#[test]
fn of_a_half_empty_folder_and_a_stapled_bundle_the_stapled_counts() {
    let mut case = Case::new();
    let [driver, _] = &rim_ids(&case.bundle.gpus[0]).unwrap()[..] else {
        panic!("a GPU has two manifests")
    };
    for path in [TCB_INFO, &rim_path(driver)] {
        case.stage.local.answer(path, [status(404)]);
    }
    case.fetch();
    let stapled = &mut case.bundle.endorsements;
    stapled.tdx = case.intel.collateral(NOW).encode();
    stapled.rims = case.nvidia.rims();
    let supplied = case.supplied();
    assert_eq!((supplied.tdx.len(), supplied.rims.len()), (0, 0));
    assert_eq!(supplied.ocsp.len(), 6);
    assert_eq!(case.judged(), Ok(1));
}

#[test]
fn evidence_that_cannot_be_read_finds_nothing_and_hides_nothing() {
    let mut case = Case::new();
    case.fetch();
    case.bundle.gpus[0].report.truncate(9);
    let supplied = case.supplied();
    assert_eq!(supplied.rims.len(), 0);
    assert!(!supplied.tdx.is_empty());
    case.bundle.cpu = CpuReport::Tdx {
        quote: vec![4; 9],
        event_log: Vec::new(),
    };
    assert_eq!(case.supplied(), Collateral::default());
}

#[test]
fn a_folder_of_last_month_is_refused_as_stale_until_it_is_fetched_anew() {
    let case = Case::new();
    case.fetch();
    let later = Time(NOW.0 + 20 * DAY);
    case.stage.world.now.set(later);
    let stale = case.judged().unwrap_err();
    assert_eq!(stale.code(), "tdx_collateral_expired");
    assert!(
        stale.hint().contains("`chrysalis fetch`"),
        "{}",
        stale.hint()
    );
    services::intel(&case.stage.local, &case.intel.collateral(later));
    services::respond(&case.stage.local, &case.nvidia, later);
    assert_eq!(case.fetch(), [""; 12]);
    assert_eq!(case.judged(), Ok(1));
}

#[test]
fn simulated_evidence_says_so_before_anybody_is_asked() {
    let case = Case::new();
    assert!(Wish::of_bundle(&case.bundle).unwrap().is_simulated());
    assert!(Wish::of_gpus(&case.bundle.gpus).unwrap().is_simulated());
}
