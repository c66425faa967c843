//! GPUs in protected-PCIe mode and the switches between them: who names whom.

use chrysalis_attestation::{Rejection, nvidia::opaque::Mode, transcript::Expect};
use chrysalis_simulate::nvidia::{Gpu, Manifest, SWITCH_FIRMWARE, opaque};

use super::scene::{Case, NONCE, NOW, Scene};

/// Two GPUs, then two switches.
fn devices(scene: &Scene) -> Vec<Gpu> {
    scene.nvidia.fabric(2, 2)
}

/// A machine of these devices, with all that NVIDIA says of them.
fn case(scene: &Scene, devices: &[Gpu]) -> Case {
    let mut case = scene.case();
    case.evidence = devices.iter().map(|it| it.evidence(&NONCE)).collect();
    let manifest = Manifest::switch().document();
    let manifest = scene.nvidia.sign_manifest(&manifest);
    case.collateral.rims.push(manifest);
    let answers = scene.nvidia.answers_about(devices, NOW, Some(NONCE));
    let answers = answers
        .iter()
        .map(|answer| chrysalis_attestation::nvidia::ocsp::OcspAnswer {
            der: answer.encode(),
            nonce: Some(NONCE),
        });
    case.collateral.ocsp = answers.collect();
    case.policy.wanted.count = Expect::AnyOf(vec![2]);
    case.policy.wanted.modes = Expect::AnyOf(vec![Mode::ProtectedPcie]);
    case.policy.wanted.switch_firmware = Expect::AnyOf(vec![SWITCH_FIRMWARE.to_owned()]);
    case.policy.wanted.switches_unchecked = None;
    case
}

/// What comes of a machine after such a change.
fn changed(change: impl FnOnce(&mut Vec<Gpu>)) -> Result<(), Rejection> {
    let scene = Scene::new();
    let mut devices = devices(&scene);
    change(&mut devices);
    case(&scene, &devices).verify().map(drop)
}

fn mismatch(result: Result<(), Rejection>) -> (String, String, String) {
    match result {
        Err(Rejection::FabricMismatch {
            device,
            named,
            there,
        }) => (device, named, there),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_machine_whose_gpus_and_switches_name_each_other_is_verified_whole() {
    let scene = Scene::new();
    let verified = case(&scene, &devices(&scene)).verify().expect("a machine");
    assert!(verified.simulated());
    let [one, other] = verified.switches() else {
        panic!("{:?}", verified.switches());
    };
    assert_ne!(one.pdi, other.pdi);
    assert_eq!(
        one.gpus,
        verified.gpus().iter().filter_map(|gpu| gpu.pdi).collect()
    );
    assert_eq!(one.firmware, SWITCH_FIRMWARE);
    let matching = one
        .measurements
        .as_ref()
        .expect("compared")
        .matching
        .clone();
    assert_eq!(matching, [0, 5, 30]);
    for gpu in verified.gpus() {
        assert_eq!(gpu.switches, [one.pdi, other.pdi].into());
    }
    // In any order.
    let mut turned = devices(&scene);
    turned.reverse();
    assert!(case(&scene, &turned).verify().is_ok());
}

#[test]
fn without_evidence_of_the_switches_a_reason_is_needed() {
    let scene = Scene::new();
    let mut case = case(&scene, &devices(&scene)[..2]);
    assert_eq!(case.verify(), Err(Rejection::GpuSwitchesUnchecked));
    case.policy.wanted.switches_unchecked = Some("one tenant".to_owned());
    assert!(case.verify().is_ok());
}

#[test]
fn a_device_that_is_named_and_not_there_is_missed() {
    let (device, named, there) = mismatch(changed(|devices| drop(devices.pop())));
    assert!(device.starts_with("GPU "), "{device}");
    assert!(
        named.starts_with(&there) && named != there,
        "{named}; {there}"
    );
    let scene = Scene::new();
    let mut one = case(&scene, &devices(&scene)[1..]);
    one.policy.wanted.count = Expect::AnyOf(vec![1]);
    let (device, ..) = mismatch(one.verify().map(drop));
    assert!(device.starts_with("switch "), "{device}");
}

#[test]
fn a_stranger_on_the_fabric_is_refused() {
    // Another machine's third switch, which names these two GPUs.
    let scene = Scene::new();
    let mut devices = devices(&scene);
    devices.push(scene.nvidia.fabric(2, 3).remove(4));
    let (device, _, there) = mismatch(case(&scene, &devices).verify().map(drop));
    assert!(device.starts_with("GPU "), "{device}");
    assert_eq!(there.split(", ").count(), 3);
}

#[test]
fn switches_beside_gpus_that_use_none_are_refused() {
    let scene = Scene::new();
    let mut devices = devices(&scene);
    for gpu in &mut devices[..2] {
        gpu.opaque.insert(opaque::FEATURE_FLAG, vec![0, 0]);
        gpu.opaque.remove(&opaque::SWITCH_PDI);
    }
    let mut case = case(&scene, &devices);
    case.policy.wanted.modes = Expect::AnyOf(vec![Mode::SinglePassthrough]);
    let (_, named, _) = mismatch(case.verify().map(drop));
    assert_eq!(named, "no device");
}

#[test]
fn a_gpu_that_no_certificate_names_is_on_no_fabric() {
    let result = changed(|devices| {
        devices[0].reissue_identity(|identity| identity.serial = Some(7));
    });
    assert!(
        matches!(result, Err(Rejection::FabricNameMissing { .. })),
        "{result:?}"
    );
}

#[test]
fn a_switch_is_who_its_certificate_says() {
    let result = changed(|devices| {
        let of_the_other = devices[3].opaque[&opaque::SWITCH_PDI].clone();
        devices[2].opaque.insert(opaque::SWITCH_PDI, of_the_other);
    });
    assert!(
        matches!(result, Err(Rejection::SwitchIdentityMismatch { .. })),
        "{result:?}"
    );
}

#[test]
fn a_gpu_does_not_become_a_switch_by_its_leafs_name() {
    let result = changed(|devices| {
        devices[2].reissue_identity(|identity| {
            "GH100 A01 GSP BROM".clone_into(&mut identity.common_name);
        });
    });
    let which = "device identity (BROM)";
    let what = "belongs to a different chip than the leaf";
    assert_eq!(
        result,
        Err(Rejection::NvidiaCertificateProfile { which, what })
    );
}

#[test]
fn an_open_switch_is_refused() {
    for lock in [0_u16, 2, 0x100] {
        let result = changed(|devices| {
            let lock = lock.to_le_bytes().to_vec();
            devices[2].opaque.insert(opaque::LOCK_SWITCH_STATUS, lock);
        });
        assert_eq!(result, Err(Rejection::SwitchUnlocked { found: lock }));
    }
}

#[test]
fn other_firmware_of_a_switch_is_a_mismatch() {
    let measured = changed(|devices| _ = devices[2].measurements.insert(5, [0; 48]));
    assert!(
        matches!(
            measured,
            Err(Rejection::MeasurementMismatch { kind: "switch", .. })
        ),
        "{measured:?}"
    );
    let version = changed(|devices| {
        let version = b"96.10.56.00.01".to_vec();
        devices[2].opaque.insert(opaque::VBIOS_VERSION, version);
    });
    assert!(
        matches!(
            version,
            Err(Rejection::RimVersionMismatch { kind: "switch", .. })
        ),
        "{version:?}"
    );
    let scene = Scene::new();
    let mut case = case(&scene, &devices(&scene));
    let other = "96.10.56.00.01".to_owned();
    case.policy.wanted.switch_firmware = Expect::AnyOf(vec![other]);
    let refused = Rejection::GpuRefused {
        field: "switch firmware",
        found: SWITCH_FIRMWARE.to_owned(),
    };
    assert_eq!(case.verify(), Err(refused));
    case.policy.wanted.switch_firmware = Expect::Unchecked {
        why: "any".to_owned(),
    };
    case.collateral.rims.pop();
    let id = "NV_SWITCH_BIOS_5612_0002_890_9610550001".to_owned();
    assert_eq!(
        case.verify(),
        Err(Rejection::RimMissing { kind: "switch", id })
    );
}

#[test]
fn a_manifest_of_a_gpu_is_none_of_a_switch() {
    let scene = Scene::new();
    let mut case = case(&scene, &devices(&scene));
    let mut manifest = Manifest::switch();
    manifest.edition = "GPU".to_owned();
    case.collateral.rims[2] = scene.nvidia.sign_manifest(&manifest.document());
    assert!(matches!(
        case.verify(),
        Err(Rejection::RimProductMismatch { .. })
    ));
}

#[test]
fn a_switch_proves_as_much_as_a_gpu() {
    let wrong_fwid = changed(|devices| drop(devices[2].opaque.insert(opaque::FWID, vec![0; 48])));
    assert!(
        matches!(wrong_fwid, Err(Rejection::GpuFwidMismatch { .. })),
        "{wrong_fwid:?}"
    );
    let twice = changed(|devices| devices[3] = devices[2].clone());
    assert!(
        matches!(twice, Err(Rejection::GpuTwice { .. })),
        "{twice:?}"
    );
    let scene = Scene::new();
    let mut devices = devices(&scene);
    let mut unanswered = case(&scene, &devices);
    // The answers about the switches' own identities are the last before the manifests'.
    unanswered.collateral.ocsp.remove(4);
    assert!(matches!(
        unanswered.verify(),
        Err(Rejection::OcspMissing { .. })
    ));
    devices.remove(0);
    devices.remove(0);
    let alone = case(&scene, &devices).verify();
    assert_eq!(alone, Err(Rejection::GpuEvidenceMissing));
    for field in [
        opaque::SWITCH_PDI,
        opaque::LOCK_SWITCH_STATUS,
        opaque::SWITCH_GPU_PDIS,
        opaque::VBIOS_VERSION,
    ] {
        let gone = changed(|devices| drop(devices[2].opaque.remove(&field)));
        assert!(
            matches!(gone, Err(Rejection::GpuOpaqueMissing { .. })),
            "{field}: {gone:?}"
        );
        let short = changed(|devices| drop(devices[2].opaque.insert(field, vec![])));
        assert!(
            matches!(short, Err(Rejection::GpuOpaqueMalformed { .. })),
            "{field}: {short:?}"
        );
    }
}

#[test]
fn links_that_lead_nowhere_and_odd_lists_are_told_apart() {
    let odd = changed(|devices| drop(devices[0].opaque.insert(opaque::SWITCH_PDI, vec![0; 9])));
    let malformed = Rejection::GpuOpaqueMalformed {
        field: "SWITCH_PDI",
    };
    assert_eq!(odd, Err(malformed.clone()));
    let long = changed(|devices| {
        let links = vec![0; 19 * 8];
        devices[0].opaque.insert(opaque::SWITCH_PDI, links);
    });
    assert_eq!(long, Err(malformed));
    let (_, named, _) = mismatch(changed(|devices| {
        let links = vec![0; 18 * 8];
        devices[0].opaque.insert(opaque::SWITCH_PDI, links);
    }));
    assert_eq!(named, "no device");
}

#[test]
fn one_name_does_not_stand_for_two_devices() {
    // NVIDIA puts a byte that says what it is before a device's name on the fabric: it makes other serial numbers, not other devices.
    let result = changed(|devices| {
        let name = devices[0].chain[1].serial();
        devices[1].reissue_identity(|identity| identity.serial = Some(1 << 64 | name));
    });
    assert!(
        matches!(result, Err(Rejection::GpuTwice { .. })),
        "{result:?}"
    );
}
