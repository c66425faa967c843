//! What binds GPUs to a conversation, by itself: the steps bind-4 and bind-5.
//!
//! A walk that goes on to the policy meets the same lies again, at gpu-1 and gpu-10. So these tests stop at the binding: it must not let
//! them through, whatever comes after it.

use chrysalis_attestation::{
    Bound, Refusal, Time, Unverified,
    encoding::digest::sha256,
    evidence::{
        CpuReport, Endorsements, Evidence,
        binding::{Anchor, Session},
        claims::{Claims, EngineClaim, ModelClaim, PROFILE},
        encode_gpus,
    },
    nvidia::GpuEvidence,
    roots::Roots,
    transcript::Outcome,
};
use chrysalis_simulate::{
    Intel, Nvidia,
    intel::{TdProfile, collateral_json},
};

/// 2026-12-01 12:00 UTC
const NOW: Time = Time(1_796_126_400);
const SPKI: &[u8] = b"the enclave's SubjectPublicKeyInfo";
const SESSION: Session = Session::Asked {
    nonce: [0x4E; 32],
    exporter: [0xE4; 32],
};

fn claims() -> Vec<u8> {
    let claims = Claims {
        profile: PROFILE.to_owned(),
        release: "0.1.0".to_owned(),
        configuration: [1; 32],
        engines: vec![EngineClaim {
            name: "llama-cpu".to_owned(),
            version: "llama.cpp".to_owned(),
            disk: [0x22; 32],
        }],
        models: vec![ModelClaim {
            name: "smollm2".to_owned(),
            kind: "chat".to_owned(),
            engine: "llama-cpu".to_owned(),
            disk: [0x55; 32],
            weights: [2; 32],
            tokenizer: Some([0x66; 32]),
            template: Some([3; 32]),
        }],
        known_answer: true,
        receipt_key: [0x77; 32],
        hpke_key: [0x09; 32],
        epoch: 0,
        epoch_began: NOW.0,
        epoch_seconds: 600,
    };
    claims.encode()
}

/// Evidence of a genuine TD that signed these answers of GPUs, as far as the binding takes it.
fn bound(answers: impl FnOnce(&Nvidia, [u8; 32]) -> Vec<GpuEvidence>) -> Result<Bound, Refusal> {
    let intel = Intel::from_seed(&[1; 32], NOW);
    let nvidia = Nvidia::from_seed(&[2; 32], NOW);
    let claims = claims();
    let anchor = Anchor::new(&SESSION, SPKI, &claims);
    let gpus = answers(&nvidia, anchor.gpu_nonce());
    let quote = intel.quote(&TdProfile {
        report_data: anchor.report_data(&encode_gpus(&gpus)),
        ..TdProfile::default()
    });
    let collateral = collateral_json(&intel.collateral(NOW)).to_string();
    let evidence = Evidence {
        cpu: CpuReport::Tdx {
            quote,
            event_log: Vec::new(),
        },
        claims,
        gpus,
        endorsements: Endorsements {
            tdx: collateral.into_bytes(),
            ..Endorsements::default()
        },
    };
    let roots = Roots::vendors().and_simulated(sha256(&[intel.root()]));
    Unverified::new(evidence)
        .authenticate(&roots, &Endorsements::default(), NOW)?
        .bind(&SESSION, SPKI)
}

/// The code of the refusal, and the check that made it: codes name the step where most meet them, here gpu-1 and gpu-10.
fn refused(result: Result<Bound, Refusal>) -> (&'static str, &'static str) {
    let refusal = result.map(drop).expect_err("it must be refused");
    let last = refusal.transcript.checks().last().expect("a check");
    assert_eq!(last.outcome, Outcome::Failed);
    (refusal.rejection.code(), last.name)
}

#[test]
fn gpus_that_were_asked_in_this_conversation_are_bound() {
    let both = bound(|nvidia, nonce| {
        vec![0, 1]
            .into_iter()
            .map(|it| nvidia.gpu(it).evidence(&nonce))
            .collect()
    });
    assert!(both.is_ok());
    assert!(bound(|_, _| Vec::new()).is_ok());
}

#[test]
fn a_gpu_that_was_asked_in_another_conversation_is_not_bound() {
    let other = |nvidia: &Nvidia, nonce| {
        vec![
            nvidia.gpu(0).evidence(&nonce),
            nvidia.gpu(1).evidence(&[7; 32]),
        ]
    };
    assert_eq!(refused(bound(other)), ("gpu_nonce_mismatch", "GPU nonce"));
}

#[test]
fn a_gpu_that_stands_for_two_is_not_bound() {
    let twice = |nvidia: &Nvidia, nonce| vec![nvidia.gpu(0).evidence(&nonce); 2];
    assert_eq!(refused(bound(twice)), ("gpu_twice", "distinct GPUs"));
}
