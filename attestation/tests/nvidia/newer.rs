//! What newer devices and drivers say otherwise: chips of a family, opaque data with a header, manifests with numeric floors.

use chrysalis_attestation::{
    Rejection,
    nvidia::{needs::rim_ids, rim},
};
use chrysalis_simulate::{
    Purpose,
    nvidia::{DRIVER, Gpu, Layout, Manifest, VBIOS, opaque},
};

use super::scene::{Case, NOW, Scene, profile};

/// A GPU whose certificates bear these names: leaf and identity, provisioner, family.
fn named(scene: &Scene, leaf: &str, provisioner: &str, family: &str) -> Gpu {
    let mut gpu = scene.gpu.clone();
    let authority = |name: String| profile(&name, Purpose::Authority(None));
    gpu.chain[3] = gpu.chain[4].issue(authority(format!("NVIDIA {family} Identity")));
    gpu.chain[2] = gpu.chain[3].issue(authority(format!(
        "NVIDIA {provisioner} Provisioner ICA 00000"
    )));
    gpu.reissue_identity(|identity| identity.common_name = format!("{leaf} A01 GSP BROM"));
    gpu.reissue_leaf(|it| it.common_name = format!("{leaf} A01 GSP FMC LF"));
    gpu.opaque.insert(35, b"GB202\0".to_vec());
    gpu
}

fn case_of(scene: &Scene, gpu: &Gpu) -> Case {
    let mut case = scene.case().without_revocation();
    case.evidence = vec![gpu.evidence(&super::scene::NONCE)];
    case
}

/// RTX PRO 6000 Blackwell: leaf, identity and family say GB20X, the provisioner GB202.
#[test]
fn a_chip_and_its_family_are_one_name() {
    let scene = Scene::new();
    for (leaf, provisioner, family) in [
        ("GB20X", "GB202", "GB20X"),
        ("GB202", "GB202", "GB20X"),
        ("GB20X", "GB20X", "GB20X"),
        ("GB202", "GB202", "GB202"),
    ] {
        let gpu = named(&scene, leaf, provisioner, family);
        let verified = case_of(&scene, &gpu).without_rims().verify();
        let verified =
            verified.unwrap_or_else(|refused| panic!("{leaf} {provisioner} {family}: {refused}"));
        assert_eq!(verified.gpus()[0].model, format!("{leaf} A01 GSP BROM"));
    }
    for (leaf, provisioner, family) in [
        ("GB20X", "GB102", "GB20X"),
        ("GB20X", "GB202", "GB10X"),
        ("GB202", "GB203", "GB20X"),
        ("GB20X", "GH100", "GB20X"),
        ("GH100", "GB20X", "GH100"),
    ] {
        let gpu = named(&scene, leaf, provisioner, family);
        let refused = case_of(&scene, &gpu)
            .without_rims()
            .verify()
            .expect_err("two chips");
        assert_eq!(
            refused.code(),
            "nvidia_certificate_profile",
            "{leaf} {provisioner} {family}"
        );
    }
}

#[test]
fn manifests_of_a_family_are_for_the_chip_that_the_report_names() {
    let scene = Scene::new();
    let gpu = named(&scene, "GB20X", "GB202", "GB20X");
    let mut case = case_of(&scene, &gpu);
    let ids = rim_ids(&case.evidence[0]).expect("ids");
    assert_eq!(ids[0], format!("NV_GPU_CC_DRIVER_GB202_{DRIVER}"));
    let mut with = |product: &str| {
        let of = |manifest: Manifest| {
            let product = product.to_owned();
            scene.nvidia.sign_manifest(
                &Manifest {
                    product,
                    ..manifest
                }
                .document(),
            )
        };
        case.collateral.rims = vec![of(Manifest::driver()), of(Manifest::vbios())];
        case.verify().map(drop)
    };
    assert_eq!(with("GB202"), Ok(()));
    assert_eq!(with("GB20X"), Ok(()));
    for other in ["GB203", "GB100", "GH100"] {
        let found = format!("GPU {other}");
        assert_eq!(with(other), Err(Rejection::RimProductMismatch { found }));
    }
    // A report that names a chip of another family names none.
    let mut liar = gpu.clone();
    liar.opaque.insert(35, b"GB102\0".to_vec());
    case.evidence = vec![liar.evidence(&super::scene::NONCE)];
    let of = |manifest: Manifest| {
        let product = "GB102".to_owned();
        scene.nvidia.sign_manifest(
            &Manifest {
                product,
                ..manifest
            }
            .document(),
        )
    };
    case.collateral.rims = vec![of(Manifest::driver()), of(Manifest::vbios())];
    assert_eq!(
        case.verify().map_err(|it| it.code()),
        Err("rim_product_mismatch")
    );
}

/// A machine with a driver of CUDA 13.5, and the driver's manifest with such a floor.
fn versioned(floor: u64) -> (Scene, Case) {
    let mut scene = Scene::new();
    scene.gpu = scene.gpu.clone().with_versioned_data();
    let mut case = case_of(&scene, &scene.gpu);
    let manifest = Manifest {
        floors: [(opaque::FSP_UCODE_SVN, floor)].into(),
        ..Manifest::driver()
    };
    case.collateral.rims[0] = scene.nvidia.sign_manifest(&manifest.document());
    (scene, case)
}

#[test]
fn opaque_data_with_a_header_are_read_and_levels_reach_their_floors() {
    for floor in [0, 19, 20] {
        let (_, case) = versioned(floor);
        let verified = case.verify().expect("high enough");
        let gpu = &verified.gpus()[0];
        assert_eq!(gpu.levels, [(opaque::FSP_UCODE_SVN, 20)].into());
        assert_eq!(gpu.driver, DRIVER);
        let checks = verified.transcript().checks();
        assert!(
            checks.iter().any(|check| check.name == "driver levels"),
            "it is told"
        );
    }
    let (_, case) = versioned(21);
    let refused = case.verify().expect_err("below the floor");
    assert_eq!(refused.code(), "gpu_level_below_floor");
    assert!(
        refused
            .to_string()
            .contains("is 20, the driver RIM requires at least 21"),
        "{refused}"
    );
}

#[test]
fn a_level_that_the_report_does_not_tell_reaches_no_floor() {
    let (scene, mut case) = versioned(0);
    let changes: [fn(&mut Gpu); 2] = [
        |gpu| drop(gpu.opaque.remove(&opaque::FSP_UCODE_SVN)),
        |gpu| gpu.layout = Layout::Plain,
    ];
    for change in changes {
        case.evidence = vec![scene.evidence(change)];
        let refused = case.verify().expect_err("a missing level");
        assert_eq!(refused.code(), "gpu_level_below_floor");
        assert!(refused.to_string().contains("is missing"), "{refused}");
    }
}

#[test]
fn entries_that_nobody_knows_are_shown_and_decide_nothing() {
    let (scene, mut case) = versioned(20);
    case.evidence = vec![scene.evidence(|gpu| drop(gpu.opaque.insert(4242, vec![1, 2])))];
    let verified = case.verify().expect("it decides nothing");
    let [entry] = &verified.gpus()[0].unknown_entries[..] else {
        panic!("one entry")
    };
    let shown = serde_json::to_value(entry).expect("JSON");
    assert_eq!(
        shown,
        serde_json::json!({"kind": 4242, "value_type": 0x82, "value": "0102"})
    );
}

#[test]
fn numeric_values_of_a_manifest_are_read_strictly() {
    let (scene, _) = versioned(20);
    let vendor = &scene.nvidia;
    let good = Manifest {
        floors: [(opaque::FSP_UCODE_SVN, 20)].into(),
        ..Manifest::driver()
    };
    let good = good.document();
    let code = |document: &str| {
        let signed = vendor.sign_manifest(document);
        rim::verify(&signed, &vendor.roots(), NOW).map_err(|it| it.code())
    };
    let read = code(&good).expect("as NVIDIA's specification has it");
    assert_eq!(read.floors, [(opaque::FSP_UCODE_SVN, 20)].into());
    let index = format!("index=\"{}\"", 0x1000 + usize::from(opaque::FSP_UCODE_SVN));
    for (from, to) in [
        ("ns3:minSvn=\"20\"", "ns3:minSvn=\"\""),
        ("ns3:minSvn=\"20\"", "ns3:minSvn=\"020\""),
        ("ns3:minSvn=\"20\"", "ns3:minSvn=\"0x14\""),
        ("ns3:minSvn=\"20\"", "ns3:minSvn=\"-1\""),
        ("ns3:minSvn=\"20\"", "ns3:minSvn=\"18446744073709551616\""),
        ("ns3:minSvn", "ns3:maxSvn"),
        ("ns3:minSvn", "ns2:Hash0"),
        (" ns3:minSvn=\"20\"", ""),
        (
            "ns3:includeInResult=\"True\"",
            "ns3:includeInResult=\"yes\"",
        ),
        (" name=\"OPAQUE_37_MIN_SVN\"", ""),
        ("name=\"OPAQUE_37_MIN_SVN\"", "name=\"\""),
        (&*index, "index=\"64\""),
        (&*index, "index=\"4095\""),
        (&*index, "index=\"69632\""),
        // A number in the place of a hash, and beside one.
        (
            "alternatives=\"1\" index=\"0\" name=\"Measurement_0\" size=\"48\" type=\"Measurement\"",
            "alternatives=\"1\" index=\"0\" name=\"Measurement_0\" size=\"48\" type=\"Measurement\" ns3:minSvn=\"1\"",
        ),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let refused = code(&bad).expect_err(to);
        // Attributes out of their order are another digest: both are refusals of what was signed.
        assert!(
            ["rim_content", "rim_digest"].contains(&refused),
            "{from} → {to}: {refused}"
        );
    }
    // In canonical order, so that nothing but the content is wrong: a second comparison, and a number beside a hash.
    for (from, to) in [
        ("ns3:minSvn=\"20\"", "ns3:maxSvn=\"30\" ns3:minSvn=\"20\""),
        ("\"></ns0:Resource>", "\" ns3:minSvn=\"1\"></ns0:Resource>"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_eq!(code(&bad), Err("rim_content"), "{from} → {to}");
    }
    let with = |count| Manifest {
        floors: (0..count).map(|kind| (kind, 1)).collect(),
        ..Manifest::driver()
    };
    assert!(code(&with(64).document()).is_ok(), "as many as may be");
    assert_eq!(code(&with(65).document()), Err("rim_content"));
    let twice = good.replace("</ns0:Payload>", &format!(
        "<ns0:Resource active=\"False\" {index} name=\"A\" type=\"Measurement\" ns3:minSvn=\"1\"></ns0:Resource>\n</ns0:Payload>"
    ));
    assert_eq!(code(&twice), Err("rim_duplicate_index"));
    let unsaid = good.replacen("active=\"True\"", "active=\"true\"", 1);
    assert_eq!(code(&unsaid), Err("rim_content"));
    let inactive = good.replace(
        "active=\"True\" index=\"4133\"",
        "active=\"False\" index=\"4133\"",
    );
    assert_eq!(code(&inactive).expect("inactive").floors, [].into());
}

#[test]
fn both_manifests_do_not_speak_of_one_level() {
    let (scene, mut case) = versioned(20);
    let manifest = Manifest {
        floors: [(opaque::FSP_UCODE_SVN, 1)].into(),
        ..Manifest::new(VBIOS, &[3, 4])
    };
    case.collateral.rims[1] = scene.nvidia.sign_manifest(&manifest.document());
    let index = 0x1000 + usize::from(opaque::FSP_UCODE_SVN);
    assert_eq!(case.verify(), Err(Rejection::RimIndexConflict { index }));
}
