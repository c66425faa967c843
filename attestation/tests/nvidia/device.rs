//! The device's side: its chain, its report, and what the report says.

use chrysalis_attestation::{
    Rejection,
    alone::gpus::{GpuQuestion, explain},
    nvidia::{NvidiaRoots, opaque::Mode, policy::Proof},
};
use chrysalis_simulate::{Purpose, nvidia::opaque};

use super::scene::{NONCE, NOW, Scene, WHY, impostor, profile};

#[test]
fn a_simulated_gpu_is_verified_under_its_named_roots_and_says_so() {
    let scene = Scene::new();
    let verified = scene.case().verify().expect("a genuine GPU");
    assert!(verified.simulated());
    let [gpu] = verified.gpus() else {
        panic!("one GPU")
    };
    assert_eq!(
        (gpu.model.as_str(), gpu.mode),
        ("GH100 A01 GSP BROM", Mode::SinglePassthrough)
    );
    let compared = gpu
        .driver_measurements
        .as_ref()
        .map(|it| it.matching.clone());
    assert_eq!(
        compared,
        Some(vec![1, 2, 35]),
        "the decoder is on, so its index counts"
    );
}

#[test]
fn a_simulated_gpu_is_refused_by_those_who_did_not_name_its_root() {
    let scene = Scene::new();
    let refused = scene
        .case()
        .verify_under(&NvidiaRoots::nvidia())
        .map_err(|it| it.code());
    assert_eq!(refused.err(), Some("gpu_simulated_root_refused"));
    let other = Scene::of_another().nvidia.roots();
    assert_eq!(
        scene
            .case()
            .verify_under(&other)
            .map_err(|it| it.code())
            .err(),
        Some("gpu_simulated_root_refused")
    );
}

#[test]
fn the_firmware_identity_is_that_of_the_certificate() {
    let scene = Scene::new();
    let mut case = scene.case().without_rims().without_revocation();
    case.evidence = vec![scene.evidence(|gpu| drop(gpu.opaque.insert(opaque::FWID, vec![0; 48])))];
    assert_eq!(
        case.verify().map_err(|it| it.code()),
        Err("gpu_fwid_mismatch")
    );
    case.policy.proof.fwid_unchecked = Some(WHY.to_owned());
    assert_eq!(
        case.verify().map_err(|it| it.code()),
        Err("gpu_fwid_mismatch"),
        "one that is there is compared"
    );

    case.evidence = vec![scene.evidence(|gpu| drop(gpu.opaque.remove(&opaque::FWID)))];
    assert!(case.verify().is_ok());
    case.policy.proof = Proof {
        fwid_unchecked: None,
        ..case.policy.proof
    };
    assert_eq!(case.verify(), Err(Rejection::GpuFwidMissing));
}

#[test]
fn authorities_and_end_entities_do_not_change_places() {
    let mut scene = Scene::new();
    // A leaf that may issue certificates.
    scene
        .gpu
        .reissue_leaf(|leaf| leaf.purpose = Purpose::SignsAndIssues);
    let case = scene.case().without_rims().without_revocation();
    let what = "is a certificate authority";
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateProfile {
            which: "device leaf",
            what
        })
    );

    // An identity that may not.
    let mut scene = Scene::new();
    scene
        .gpu
        .reissue_identity(|identity| identity.purpose = Purpose::Signs);
    let case = scene.case().without_rims().without_revocation();
    let what = "is not a certificate authority";
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateProfile {
            which: "device identity (BROM)",
            what
        })
    );

    // A provisioner with an authority too many below it.
    let mut scene = Scene::new();
    let narrow = profile(
        "NVIDIA GH100 Provisioner ICA 1",
        Purpose::Authority(Some(0)),
    );
    scene.gpu.chain[2] = scene.gpu.chain[3].issue(narrow);
    scene.gpu.reissue_identity(|_| ());
    let case = scene.case().without_rims().without_revocation();
    let what = "has more authorities below it than it allows";
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateProfile {
            which: "device provisioner",
            what
        })
    );
}

#[test]
fn a_chain_names_one_chip() {
    let mut scene = Scene::new();
    scene
        .gpu
        .reissue_leaf(|leaf| "GB100 A01 GSP FMC LF".clone_into(&mut leaf.common_name));
    let case = scene.case().without_rims().without_revocation();
    let what = "belongs to a different chip than the leaf";
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateProfile {
            which: "device identity (BROM)",
            what
        })
    );
    scene
        .gpu
        .reissue_leaf(|leaf| "GX100 A01 GSP FMC LF".clone_into(&mut leaf.common_name));
    let case = scene.case().without_rims().without_revocation();
    assert_eq!(
        case.verify().map_err(|it| it.code()),
        Err("gpu_architecture_unknown")
    );
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let mut scene = Scene::new();
    let impostor = impostor("GH100 A01 GSP BROM");
    scene.gpu.chain[0] = impostor.issue(scene.gpu.chain[0].profile());
    let case = scene.case().without_rims().without_revocation();
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateSignature {
            which: "device leaf"
        })
    );
}

#[test]
fn gpus_in_different_modes_are_refused() {
    let scene = Scene::new();
    let mut second = scene.nvidia.gpu(1);
    second.opaque.insert(opaque::FEATURE_FLAG, vec![1, 0]);
    let mut case = scene.case().without_rims().without_revocation();
    case.evidence.push(second.evidence(&NONCE));
    assert_eq!(case.verify(), Err(Rejection::GpuModesDiffer));
}

#[test]
fn a_machine_has_at_most_sixteen_gpus() {
    let scene = Scene::new();
    let mut case = scene.case().without_rims().without_revocation();
    let gpus = (0..17).map(|index| scene.nvidia.gpu(index).evidence(&NONCE));
    case.evidence = gpus.collect();
    assert_eq!(
        case.verify(),
        Err(Rejection::GpuEvidenceTooLarge { found: 17 })
    );
    case.evidence.pop();
    let verified = case.verify().expect("as many as may be");
    assert_eq!(verified.gpus().len(), 16);
}

#[test]
fn an_explanation_names_every_failure() {
    let scene = Scene::new();
    let mut case = scene.case();
    let last = case.evidence[0].report.len() - 1;
    case.evidence[0].report[last] ^= 1;
    case.collateral.rims.pop();
    case.collateral.ocsp.remove(0);
    let question = GpuQuestion {
        policy: Some(&case.policy),
        ..GpuQuestion::new(&[0; 32], &case.roots, &case.collateral, NOW)
    };
    let refusal = explain(&case.evidence, &question).expect_err("a refusal");
    let codes: Vec<_> = refusal.rejections().map(Rejection::code).collect();
    assert_eq!(
        codes,
        [
            "gpu_nonce_mismatch",
            "ocsp_missing",
            "gpu_report_signature",
            "rim_missing"
        ]
    );
    assert!(
        refusal.transcript.checks().len() > 12,
        "and all the others were still made"
    );
}
