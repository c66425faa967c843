//! The simulated NVIDIA before the verifier that real GPUs stand before, and the folder that keeps it.
//!
//! What the verifier refuses, lie by lie, is in that crate's own tests, which this vendor serves.

use chrysalis_attestation::{
    Time, Waivers,
    alone::gpus::{GpuQuestion, verify},
    nvidia::{
        GpuPolicy,
        ocsp::OcspAnswer,
        policy::{Proof, Revocation, Wanted},
    },
};
use chrysalis_simulate::Nvidia;
use std::{fs, os::unix::fs::PermissionsExt};

/// 2026-12-01 12:00 UTC
const NOW: Time = Time(1_796_126_400);
const YEAR: i64 = 365 * 24 * 3600;
const NONCE: [u8; 32] = [0x42; 32];

#[test]
fn a_machine_with_several_gpus_is_verified_with_asked_and_with_stapled_answers() {
    let nvidia = Nvidia::from_seed(&[7; 32], NOW).with_gpus(3);
    let evidence = [0, 1, 2].map(|index| nvidia.gpu(index).evidence(&NONCE));
    let mut collateral = nvidia.collateral(NOW);
    let mut policy = GpuPolicy {
        proof: Proof::complete(),
        wanted: Wanted::any("this test is about genuineness"),
    };
    policy.proof.revocation = Revocation::Stapled;
    let roots = nvidia.roots();
    let ask = |collateral: &_, policy: &_| {
        let question = GpuQuestion {
            nonce: &NONCE,
            roots: &roots,
            collateral,
            policy: Some(policy),
            waivers: Waivers::none(),
            now: NOW,
        };
        verify(&evidence, &question).map_err(|refusal| refusal.rejection)
    };
    let verified = ask(&collateral, &policy).expect("answers brought along");
    assert!(verified.simulated());
    let mut devices: Vec<_> = verified.gpus().iter().map(|gpu| &gpu.identity).collect();
    devices.dedup();
    assert_eq!(devices.len(), 3, "each GPU is a device of its own");

    policy.proof.revocation = Revocation::Asked;
    collateral.ocsp = nvidia.ocsp(NOW, Some([9; 32]));
    assert!(ask(&collateral, &policy).is_ok());
    let other: Vec<OcspAnswer> = collateral.ocsp.clone();
    collateral.ocsp = other
        .into_iter()
        .map(|it| OcspAnswer {
            nonce: Some([8; 32]),
            ..it
        })
        .collect();
    assert_eq!(
        ask(&collateral, &policy).map_err(|it| it.code()),
        Err("ocsp_nonce_mismatch")
    );
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let made = || {
        let nvidia = Nvidia::from_seed(&[7; 32], NOW);
        (nvidia.gpu(1).evidence(&NONCE), nvidia.collateral(NOW))
    };
    assert_eq!(made(), made());
    let other = Nvidia::from_seed(&[8; 32], NOW);
    assert_ne!(
        other.device_root(),
        Nvidia::from_seed(&[7; 32], NOW).device_root()
    );
    assert_ne!(other.device_root(), other.rim_root());
}

#[test]
fn a_kept_vendor_has_the_same_roots_at_every_start() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("state/simulated-nvidia");
    let first = Nvidia::open_or_create(&folder, NOW).expect("made");
    let later = Time(NOW.0 + 3 * YEAR);
    let again = Nvidia::open_or_create(&folder, later).expect("kept");
    assert_eq!(first.device_root(), again.device_root());
    assert_eq!(first.rim_root(), again.rim_root());
    let mode = fs::metadata(folder.join("seed"))
        .expect("a seed")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let pem = fs::read(folder.join("device-root.pem")).expect("a root");
    let pem = chrysalis_attestation::encoding::pem::certificates(&pem).expect("PEM");
    assert_eq!(pem, [first.device_root()]);

    fs::write(folder.join("seed"), "not hex").expect("written");
    let refused = Nvidia::open_or_create(&folder, NOW)
        .map(|_| ())
        .expect_err("damaged");
    assert!(
        refused.to_string().contains("not a usable seed"),
        "{refused}"
    );
}
