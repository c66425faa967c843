//! The device's side: its chain, its report, and what the report says.

use super::vendor::{Signer, Vendor, WHY, authority, leaf};
use crate::{
    Rejection,
    nvidia::{Roots, explain, opaque::Mode, policy::Proof},
};

#[test]
fn a_simulated_gpu_is_verified_under_its_named_roots_and_says_so() {
    let vendor = Vendor::new();
    let verified = vendor.case().verify().expect("a genuine GPU");
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
    let vendor = Vendor::new();
    let refused = vendor
        .case()
        .verify_under(&Roots::nvidia())
        .map_err(|it| it.code());
    assert_eq!(refused.err(), Some("gpu_simulated_root_refused"));
    let other = Vendor::new().roots();
    assert_eq!(
        vendor
            .case()
            .verify_under(&other)
            .map_err(|it| it.code())
            .err(),
        Some("gpu_simulated_root_refused")
    );
}

#[test]
fn the_firmware_identity_is_that_of_the_certificate() {
    let vendor = Vendor::new();
    let mut case = vendor.case().without_rims().without_revocation();
    case.evidence = vec![vendor.gpu(|fields| drop(fields.insert(20, vec![0; 48])))];
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

    case.evidence = vec![vendor.gpu(|fields| drop(fields.remove(&20)))];
    assert!(case.verify().is_ok());
    case.policy.proof = Proof {
        fwid_unchecked: None,
        ..case.policy.proof
    };
    assert_eq!(case.verify(), Err(Rejection::GpuFwidMissing));
}

#[test]
fn authorities_and_end_entities_do_not_change_places() {
    let mut vendor = Vendor::new();
    // A leaf that may issue certificates.
    vendor.device[0] = Signer::issue("GH100 A01 GSP FMC LF", Some(&vendor.device[1]), |params| {
        leaf(params);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let case = vendor.case().without_rims().without_revocation();
    let what = "is a certificate authority";
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateProfile {
            which: "GPU leaf",
            what
        })
    );

    // An identity that may not.
    let mut vendor = Vendor::new();
    vendor.device[1] = Signer::issue(
        "GH100 A01 GSP BROM",
        Some(&vendor.device[2]),
        super::vendor::signer,
    );
    vendor.device[0] = Signer::issue("GH100 A01 GSP FMC LF", Some(&vendor.device[1]), leaf);
    let case = vendor.case().without_rims().without_revocation();
    let what = "is not a certificate authority";
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateProfile {
            which: "GPU identity (BROM)",
            what
        })
    );

    // A provisioner with an authority too many below it.
    let mut vendor = Vendor::new();
    vendor.device[2] = Signer::issue(
        "NVIDIA GH100 Provisioner ICA 1",
        Some(&vendor.device[3]),
        |params| {
            authority(params);
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        },
    );
    vendor.device[1] = Signer::issue("GH100 A01 GSP BROM", Some(&vendor.device[2]), authority);
    vendor.device[0] = Signer::issue("GH100 A01 GSP FMC LF", Some(&vendor.device[1]), leaf);
    let case = vendor.case().without_rims().without_revocation();
    let what = "has more authorities below it than it allows";
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateProfile {
            which: "GPU provisioner",
            what
        })
    );
}

#[test]
fn a_chain_names_one_chip() {
    let mut vendor = Vendor::new();
    vendor.device[0] = Signer::issue("GB100 A01 GSP FMC LF", Some(&vendor.device[1]), leaf);
    let case = vendor.case().without_rims().without_revocation();
    let what = "is of another chip than the leaf";
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateProfile {
            which: "GPU identity (BROM)",
            what
        })
    );
    vendor.device[0] = Signer::issue("LS_10 A01 FSP FMC LF", Some(&vendor.device[1]), leaf);
    let case = vendor.case().without_rims().without_revocation();
    assert_eq!(
        case.verify().map_err(|it| it.code()),
        Err("gpu_architecture_unknown")
    );
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let mut vendor = Vendor::new();
    let impostor = Signer::issue("GH100 A01 GSP BROM", None, authority);
    vendor.device[0] = Signer::issue("GH100 A01 GSP FMC LF", Some(&impostor), leaf);
    let case = vendor.case().without_rims().without_revocation();
    assert_eq!(
        case.verify(),
        Err(Rejection::NvidiaCertificateSignature { which: "GPU leaf" })
    );
}

#[test]
fn gpus_in_different_modes_are_refused() {
    let vendor = Vendor::new();
    let mut second = Vendor::new();
    // The second GPU comes from the same factory.
    second.device[1] = Signer::issue("GH100 A01 GSP BROM", Some(&vendor.device[2]), authority);
    second.device[0] = Signer::issue("GH100 A01 GSP FMC LF", Some(&second.device[1]), leaf);
    let second = second.gpu(|fields| drop(fields.insert(36, vec![1, 0])));
    let mut case = vendor.case().without_rims().without_revocation();
    let factory = case.evidence[0].chain[2..].to_vec();
    case.evidence.push(second);
    case.evidence[1].chain.splice(2.., factory);
    assert_eq!(case.verify(), Err(Rejection::GpuModesDiffer));
}

#[test]
fn an_explanation_names_every_failure() {
    let vendor = Vendor::new();
    let mut case = vendor.case();
    let last = case.evidence[0].report.len() - 1;
    case.evidence[0].report[last] ^= 1;
    case.collateral.rims.pop();
    case.collateral.ocsp.remove(0);
    let question = crate::nvidia::Question {
        nonce: &[0; 32],
        roots: &vendor.roots(),
        collateral: &case.collateral,
        policy: &case.policy,
        now: super::vendor::NOW,
    };
    let (failures, transcript) = explain(&case.evidence, &question);
    let codes: Vec<_> = failures.iter().map(Rejection::code).collect();
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
        transcript.checks().len() > 12,
        "and all the others were still made"
    );
}
