//! Walks the real NVIDIA evidence in ../shared/vectors/nvidia and holds every verdict against its expected.json.
//!
//! The evidence is NVIDIA's and others'; where each file comes from stands in the folder's index. Without the folder every
//! test here prints `skipped: no vectors` and passes.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use chrysalis_attestation::{
    Rejection, Time,
    nvidia::{
        Collateral, GpuEvidence, GpuPolicy, Question, Roots, Verified,
        evidence::{read, read_chain},
        explain,
        measurements::Indices,
        opaque::{Mode, Opaque},
        policy::{Proof, Revocation, Wanted},
        rim,
        spdm::Report,
        verify,
        version::{DriverVersion, driver_rim_id, vbios_rim_id},
    },
    policy::Expect,
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const WHY: &str = "this test is about something else";
/// 2026-03-01: both RIMs of 550.90.07 are valid.
const MARCH_2026: Time = Time(1_772_323_200);
const COMPLETE: &str = "h100-550.90.07";
const DRIVER_RIM: &str = "NV_GPU_DRIVER_GH100_550.90.07.swidtag";
const VBIOS_RIM: &str = "NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag";

/// The vectors, or nothing if they are not on this machine.
fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/nvidia");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no vectors");
    None
}

fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn expected(folder: &Path) -> Value {
    serde_json::from_slice(&bytes(folder.join("expected.json"))).expect("JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn array<const N: usize>(hex_text: &str) -> [u8; N] {
    hex::decode(hex_text)
        .expect("hex")
        .try_into()
        .expect("the length")
}

fn moment(text: &str) -> Time {
    Time(
        OffsetDateTime::parse(text, &Rfc3339)
            .expect("a time")
            .unix_timestamp(),
    )
}

/// Only the report and its chain.
fn without_collateral() -> GpuPolicy {
    GpuPolicy {
        proof: Proof {
            revocation: Revocation::Unchecked {
                why: WHY.to_owned(),
            },
            rims_unchecked: Some(WHY.to_owned()),
            ..Proof::complete()
        },
        wanted: Wanted::any(WHY),
    }
}

/// With RIMs; there are no public OCSP answers.
fn with_rims() -> GpuPolicy {
    let mut policy = without_collateral();
    policy.proof.rims_unchecked = None;
    policy
}

struct Case {
    evidence: Vec<GpuEvidence>,
    nonce: [u8; 32],
    collateral: Collateral,
    policy: GpuPolicy,
    now: Time,
}

impl Case {
    fn load(folder: &Path) -> Self {
        let evidence = read(
            &bytes(folder.join("report.bin")),
            Some(&bytes(folder.join("chain.pem"))),
        )
        .expect("evidence");
        let nonce = array(text(&expected(folder)["fields"], "nonce"));
        Self {
            evidence,
            nonce,
            collateral: Collateral::default(),
            policy: without_collateral(),
            now: MARCH_2026,
        }
    }

    fn complete(vectors: &Path) -> Self {
        let mut case = Self::load(&vectors.join(COMPLETE));
        let rim = |name| bytes(vectors.join(COMPLETE).join("rim").join(name));
        case.collateral.rims = vec![rim(DRIVER_RIM), rim(VBIOS_RIM)];
        case.policy = with_rims();
        case
    }

    fn ask<T>(&self, ask: impl FnOnce(&[GpuEvidence], &Question<'_>) -> T) -> T {
        let roots = Roots::nvidia();
        let Self {
            evidence,
            nonce,
            collateral,
            policy,
            now,
        } = self;
        ask(
            evidence,
            &Question {
                nonce,
                roots: &roots,
                collateral,
                policy,
                now: *now,
            },
        )
    }

    fn verify(&self) -> Result<Verified, Rejection> {
        self.ask(verify).map_err(|refusal| refusal.rejection)
    }

    fn code(&self) -> Option<&'static str> {
        self.verify().err().map(|rejection| rejection.code())
    }
}

/// What expected.json says of one GPU, and whether report, chain and firmware identity hold up.
fn compare(evidence: &GpuEvidence, fields: &Value, checks: &Value, name: &str) {
    let nonce = array(text(fields, "nonce"));
    let mut case = Case {
        evidence: vec![evidence.clone()],
        nonce,
        collateral: Collateral::default(),
        policy: without_collateral(),
        now: MARCH_2026,
    };
    let report = Report::parse(&evidence.report).expect(name);
    let opaque = Opaque::parse(report.opaque).expect(name);
    assert_eq!(report.request.nonce, nonce, "{name}");
    assert_eq!(report.measurements.len() as u64, fields["blocks"], "{name}");
    assert_eq!(report.opaque.len() as u64, fields["opaque_len"], "{name}");
    assert_eq!(opaque.driver.to_string(), text(fields, "driver"), "{name}");
    assert_eq!(opaque.vbios.to_string(), text(fields, "vbios"), "{name}");
    assert_eq!(opaque.project, text(fields, "project"), "{name}");
    assert_eq!(opaque.project_sku, text(fields, "project_sku"), "{name}");
    assert_eq!(opaque.chip_sku, text(fields, "chip_sku"), "{name}");
    assert_eq!(
        opaque.chip.unwrap_or_default(),
        text(fields, "chip_info"),
        "{name}"
    );
    assert_eq!(
        opaque.fwid.map(hex::encode).unwrap_or_default(),
        text(fields, "fwid"),
        "{name}"
    );
    assert_eq!(
        opaque.nvdec0,
        Some(text(fields, "nvdec0") == "aa"),
        "{name}"
    );
    let mode = match (text(fields, "feature_flag"), text(fields, "protected_pcie")) {
        ("0000", _) => Mode::SinglePassthrough,
        ("0200" | "", "aa") => Mode::ProtectedPcie,
        _ => Mode::Unstated,
    };
    assert_eq!(opaque.mode, mode, "{name}");

    if checks["report_signature"] == false {
        assert_eq!(case.code(), Some("gpu_report_signature"), "{name}");
        return;
    }
    if checks["fwid_match"] != true {
        assert_eq!(case.code(), Some("gpu_fwid_missing"), "{name}");
        case.policy.proof.fwid_unchecked = Some(WHY.to_owned());
    }
    let verified = case.verify().expect(name);
    let [gpu] = verified.gpus() else {
        panic!("{name}: one GPU")
    };
    assert_eq!(gpu.ueid, text(fields, "ueid"), "{name}");
    assert!(
        text(fields, "hwmodel").starts_with(&format!("CN={},", gpu.model)),
        "{name}: {}",
        gpu.model
    );
    assert!(
        text(fields, "hwmodel").ends_with(&gpu.identity),
        "{name}: {}",
        gpu.identity
    );
    assert_eq!(gpu.driver, text(fields, "driver"), "{name}");
    assert!(!verified.simulated(), "{name}");
}

#[test]
fn every_report_comes_out_as_expected() {
    let Some(vectors) = vectors() else { return };
    let mut seen = 0;
    for folder in fs::read_dir(&vectors)
        .expect("vectors")
        .map(|it| it.expect("an entry").path())
    {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if folder.join("report.bin").exists() && name != "h100-580.95.05-trailing-nul" {
            let expected = expected(&folder);
            let chain = bytes(folder.join("chain.pem"));
            let evidence = read(&bytes(folder.join("report.bin")), Some(&chain)).expect(&name);
            let as_text = read(
                &bytes(folder.join("report.hex.txt")),
                Some(&bytes(folder.join("chain.b64.txt"))),
            );
            assert_eq!(
                as_text.as_ref(),
                Ok(&evidence),
                "{name}: hex text and base64 say the same"
            );
            compare(
                &evidence[0],
                &expected["fields"],
                &expected["checks"],
                &name,
            );
            seen += 1;
        }
        let json = [
            "multi_gpu_hopper.json",
            "hopper_evidence.json",
            "hopper_evidence_cert_hold.json",
        ];
        for json in json
            .map(|it| folder.join(it))
            .iter()
            .filter(|it| it.exists())
        {
            let expected = expected(&folder);
            let evidence = read(&bytes(json), None).expect(&name);
            for (place, one) in evidence.iter().enumerate() {
                assert_eq!(
                    one.report,
                    bytes(folder.join(format!("gpu{place}.report.bin")))
                );
                let (fields, checks) = (
                    &expected["fields"]["per_gpu"][place],
                    &expected["checks"]["per_gpu"][place],
                );
                compare(one, fields, checks, &name);
                seen += 1;
            }
        }
    }
    println!("{seen} GPUs");
    assert_eq!(seen, 12, "GPUs in the folder");
}

#[test]
fn a_complete_set_passes_every_check() {
    let Some(vectors) = vectors() else { return };
    let case = Case::complete(&vectors);
    let verified = case.verify().expect("a genuine GPU");
    let [gpu] = verified.gpus() else {
        panic!("one GPU")
    };
    let (driver, vbios) = (
        gpu.driver_measurements.as_ref(),
        gpu.vbios_measurements.as_ref(),
    );
    let counted = |it: Option<&chrysalis_attestation::nvidia::measurements::Compared>| {
        it.map(|it| (it.matching.len(), it.skipped.clone()))
    };
    assert_eq!(counted(driver), Some((20, vec![35])));
    assert_eq!(counted(vbios), Some((12, vec![])));
    assert_eq!(
        verified.until(),
        moment("2026-06-01T02:08:29Z"),
        "the driver RIM's signer ends first"
    );
    let names: Vec<_> = verified
        .transcript()
        .checks()
        .iter()
        .map(|it| (it.step, it.name))
        .collect();
    assert_eq!(
        names[..10],
        [
            ("gpu-4", "OCSP answers"),
            ("gpu-7", "RIMs"),
            ("gpu-2", "evidence"),
            ("gpu-1", "nonce"),
            ("gpu-2", "report"),
            ("gpu-2", "opaque data"),
            ("gpu-3", "device chain"),
            ("gpu-4", "device revocation"),
            ("gpu-5", "report signature"),
            ("gpu-6", "FWID"),
        ]
    );
}

#[test]
fn rim_ids_are_those_that_nvidia_uses() {
    let Some(vectors) = vectors() else { return };
    let case = Case::complete(&vectors);
    let report = Report::parse(&case.evidence[0].report).expect("a report");
    let opaque = Opaque::parse(report.opaque).expect("opaque data");
    let architecture = case.verify().expect("genuine").gpus()[0].architecture;
    let driver = driver_rim_id(architecture, &opaque).expect("Hopper's is known");
    assert_eq!(format!("{driver}.swidtag"), DRIVER_RIM);
    assert_eq!(format!("{}.swidtag", vbios_rim_id(&opaque)), VBIOS_RIM);
}

#[test]
fn nothing_is_left_out_by_silence() {
    let Some(vectors) = vectors() else { return };
    let mut case = Case::complete(&vectors);
    case.policy.proof = Proof::complete();
    assert_eq!(
        case.verify(),
        Err(Rejection::OcspMissing {
            which: "GPU identity (BROM)"
        })
    );
    case.policy = with_rims();
    case.collateral.rims.pop();
    let id = "NV_GPU_VBIOS_1010_0200_882_96009F0001".to_owned();
    assert_eq!(
        case.verify(),
        Err(Rejection::RimMissing { kind: "VBIOS", id })
    );
    case.collateral.rims.clear();
    let id = "NV_GPU_DRIVER_GH100_550.90.07".to_owned();
    assert_eq!(
        case.verify(),
        Err(Rejection::RimMissing { kind: "driver", id })
    );
}

#[test]
fn another_nonce_is_refused() {
    let Some(vectors) = vectors() else { return };
    let mut case = Case::complete(&vectors);
    case.nonce[31] ^= 1;
    assert_eq!(case.code(), Some("gpu_nonce_mismatch"));
}

#[test]
fn rims_count_only_while_their_certificates_are_valid() {
    let Some(vectors) = vectors() else { return };
    let mut case = Case::complete(&vectors);
    let expected = expected(&vectors.join(COMPLETE));
    let [from, until] = [0, 1].map(|it| {
        moment(
            expected["all_rims_cert_window"][it]
                .as_str()
                .expect("a time"),
        )
    });
    for (now, code) in [
        (from, None),
        (until, None),
        (Time(from.0 - 1), Some("nvidia_certificate_not_yet_valid")),
        (Time(until.0 + 1), Some("nvidia_certificate_expired")),
    ] {
        case.now = now;
        assert_eq!(case.code(), code, "{now}");
    }
}

/// Holds one RIM against what expected.json says of it.
fn compare_rim(path: PathBuf, entry: &Value) {
    let roots = Roots::nvidia();
    let name = path.display().to_string();
    let bytes = bytes(path);
    // Python's form of the same.
    let from = moment(
        &entry["leaf_validity"][0]
            .as_str()
            .expect("a time")
            .replacen(' ', "T", 1),
    );
    let found = rim::verify(&bytes, &roots, from).map_err(|it| it.code());
    match (
        entry["ends_in_pinned_rim_root"] == true,
        entry["xmldsig"] == true,
    ) {
        (false, _) => assert_eq!(found, Err("rim_root_unknown"), "{name}"),
        (true, false) => assert!(
            matches!(found, Err("rim_digest" | "rim_signature")),
            "{name}: {found:?}"
        ),
        (true, true) => {
            let found = found.expect(&name);
            assert_eq!(found.version, text(entry, "version"), "{name}");
            assert_eq!(found.active.len() as u64, entry["active"], "{name}");
            let early = rim::verify(&bytes, &roots, Time(from.0 - 1)).map_err(|it| it.code());
            assert_eq!(early, Err("nvidia_certificate_not_yet_valid"), "{name}");
            let late = rim::verify(&bytes, &roots, Time(found.until.0 + 1)).map_err(|it| it.code());
            assert_eq!(late, Err("nvidia_certificate_expired"), "{name}");
        }
    }
}

#[test]
fn every_rim_comes_out_as_expected() {
    let Some(vectors) = vectors() else { return };
    let mut seen = 0;
    let production = expected(&vectors.join("rims-vbios"));
    for (file, entry) in production["checks"]["per_file"].as_object().expect("files") {
        compare_rim(vectors.join("rims-vbios").join(file), entry);
        seen += 1;
    }
    let negatives = expected(&vectors.join("rim-negatives"));
    for (file, entry) in negatives["checks"].as_object().expect("files") {
        compare_rim(vectors.join("rim-negatives").join(file), entry);
        seen += 1;
    }
    for folder in [
        "h100-535.86.09",
        COMPLETE,
        "h100-570.124.03-expired",
        "h100-580.159.03",
    ] {
        let folder = vectors.join(folder);
        for entry in expected(&folder)["checks"]["rim"].as_array().expect("RIMs") {
            compare_rim(
                folder.join("rim").join(text(&entry["compare"], "rim")),
                entry,
            );
            seen += 1;
        }
    }
    let switch = vectors.join("switch-ls10");
    compare_rim(
        switch.join("rim/NV_SWITCH_BIOS_5612_0002_890_9610550001.xml"),
        &expected(&switch)["checks"]["rim"],
    );
    println!("{} RIMs", seen + 1);
    assert_eq!(seen, 36);
}

#[test]
fn each_bad_rim_has_its_own_rejection() {
    let Some(vectors) = vectors() else { return };
    let roots = Roots::nvidia();
    for (file, now, code) in [
        (
            "rim-negatives/incorrect_signature_driver_rim.xml",
            "2025-03-01T00:00:00Z",
            "rim_signature",
        ),
        (
            "rim-negatives/incorrect_cert_chain_driver_rim.xml",
            "2025-03-01T00:00:00Z",
            "rim_root_unknown",
        ),
        (
            "rim-negatives/NV_SWITCH_BIOS_5612_0002_890_9610550001_invalid_signature.xml",
            "2025-03-01T00:00:00Z",
            "rim_digest",
        ),
        (
            "rim-negatives/NV_SWITCH_BIOS_5612_0002_890_9610550001_measurement_mismatch.xml",
            "2025-03-01T00:00:00Z",
            "rim_digest",
        ),
        (
            "h100-535.86.09/rim/NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml",
            "2025-06-01T00:00:00Z",
            "rim_digest",
        ),
        (
            "h100-570.124.03-expired/rim/NV_GPU_DRIVER_GH100_570.124.03_expired.xml",
            "2025-01-01T12:00:00Z",
            "rim_digest",
        ),
        (
            "h100-570.124.03-expired/rim/NV_GPU_DRIVER_GH100_570.124.03_expired.xml",
            "2026-11-22T00:00:00Z",
            "nvidia_certificate_expired",
        ),
    ] {
        let found =
            rim::verify(&bytes(vectors.join(file)), &roots, moment(now)).map_err(|it| it.code());
        assert_eq!(found, Err(code), "{file}");
    }
}

#[test]
fn measurements_that_differ_are_named() {
    let Some(vectors) = vectors() else { return };
    for folder in [
        "h100-535.86.09",
        "h100-570.124.03-expired",
        "h100-580.159.03",
    ] {
        let folder = vectors.join(folder);
        let expected = expected(&folder);
        for entry in expected["checks"]["rim"]
            .as_array()
            .expect("RIMs")
            .iter()
            .filter(|it| it["xmldsig"] == true)
        {
            let mut case = Case::load(&folder);
            case.collateral.rims = vec![bytes(
                folder.join("rim").join(text(&entry["compare"], "rim")),
            )];
            case.policy = with_rims();
            case.policy.proof.fwid_unchecked = Some(WHY.to_owned());
            case.now = moment(entry["cert_window"][0].as_str().expect("a time"));
            let differing: Vec<u8> =
                serde_json::from_value(entry["compare"]["mismatch"].clone()).expect("indices");
            // All these are VBIOS RIMs, so the driver's is missing as well.
            let (failures, _) = case.ask(explain);
            let mut wanted = vec!["rim_missing"];
            wanted.extend((!differing.is_empty()).then_some("measurement_mismatch"));
            assert_eq!(
                failures.iter().map(Rejection::code).collect::<Vec<_>>(),
                wanted,
                "{folder:?}"
            );
            if let Some(mismatch) = failures.get(1) {
                let indices = Indices(differing);
                assert_eq!(
                    mismatch,
                    &Rejection::MeasurementMismatch {
                        kind: "VBIOS",
                        indices
                    }
                );
            }
        }
    }
}

#[test]
fn a_rim_of_another_version_or_product_is_refused() {
    let Some(vectors) = vectors() else { return };
    let mut case = Case::complete(&vectors);
    case.collateral.rims[1] =
        bytes(vectors.join("rims-vbios/1010_0200_882_96005E0001_PROD.swidtag"));
    let (wanted, found) = ("96.00.9F.00.01".to_owned(), "96.00.5E.00.01".to_owned());
    assert_eq!(
        case.verify(),
        Err(Rejection::RimVersionMismatch {
            kind: "VBIOS",
            wanted,
            found
        })
    );

    let mut case = Case::complete(&vectors);
    case.collateral.rims.push(case.collateral.rims[0].clone());
    let version = "550.90.07".to_owned();
    assert_eq!(
        case.verify(),
        Err(Rejection::RimAmbiguous {
            kind: "driver",
            version
        })
    );
}

#[test]
fn broken_chains_are_refused() {
    let Some(vectors) = vectors() else { return };
    let mut case = Case::complete(&vectors);
    for (file, code) in [
        ("case1.txt", None),
        ("case2.txt", Some("gpu_chain_length")),
        ("case3.txt", Some("gpu_chain_length")),
        ("case4.txt", Some("gpu_chain_length")),
        ("gonv-invalidCertChain.txt", Some("gpu_chain_length")),
        ("hopper_signing_cert.pem", Some("gpu_chain_length")),
    ] {
        case.evidence[0].chain =
            read_chain(&bytes(vectors.join("chain-negatives").join(file))).expect(file);
        assert_eq!(case.code(), code, "{file}");
    }
    let good = Case::complete(&vectors).evidence[0].chain.clone();
    let other = Case::load(&vectors.join("h100-580.159.03")).evidence[0]
        .chain
        .clone();
    let swapped = |place: usize, with: &[u8]| {
        let mut chain = good.clone();
        chain[place] = with.to_vec();
        chain
    };
    let rim_root = bytes(vectors.join("roots/rim_root_NVIDIA_CoRIM_signing_Root_CA.pem"));
    let switch =
        read_chain(&bytes(vectors.join("switch-ls10/switchCertChain.txt"))).expect("a chain");
    for (chain, code) in [
        (swapped(0, &other[0]), "nvidia_certificate_profile"),
        (swapped(1, &other[1]), "nvidia_certificate_profile"),
        (swapped(2, &good[3]), "nvidia_certificate_profile"),
        (
            swapped(4, &read_chain(&rim_root).expect("PEM")[0]),
            "gpu_root_unknown",
        ),
        (good.iter().rev().cloned().collect(), "gpu_root_unknown"),
        (other.clone(), "gpu_report_signature"),
        (switch, "gpu_architecture_unknown"),
        (swapped(3, &[]), "nvidia_certificate_malformed"),
    ] {
        case.evidence[0].chain = chain;
        assert_eq!(case.code(), Some(code));
    }
}

#[test]
fn a_byte_after_the_report_is_refused() {
    let Some(vectors) = vectors() else { return };
    let mut case = Case::load(&vectors.join("h100-580.95.05-trailing-nul"));
    assert_eq!(
        case.verify(),
        Err(Rejection::GpuReportTrailing { extra: 1 })
    );
    case.evidence[0].report.pop();
    assert_eq!(case.code(), None, "without it the report is genuine");
    case.evidence[0].report.pop();
    assert_eq!(case.verify(), Err(Rejection::GpuReportTruncated));
}

#[test]
fn several_gpus_stand_or_fall_together() {
    let Some(vectors) = vectors() else { return };
    let folder = vectors.join("h100-590.12-multi4");
    let four = read(&bytes(folder.join("multi_gpu_hopper.json")), None).expect("evidence");
    let nonce = array(text(&expected(&folder)["fields"], "nonce"));
    let case = |evidence: Vec<GpuEvidence>, change: fn(&mut Wanted)| {
        let mut policy = without_collateral();
        change(&mut policy.wanted);
        Case {
            evidence,
            nonce,
            collateral: Collateral::default(),
            policy,
            now: MARCH_2026,
        }
    };
    let verified = case(four.clone(), |wanted| wanted.count = Expect::AnyOf(vec![4]))
        .verify()
        .expect("four GPUs");
    let devices: BTreeSet<_> = verified.gpus().iter().map(|it| &it.ueid).collect();
    assert_eq!(devices.len(), 4);

    let eight = case(four.clone(), |wanted| wanted.count = Expect::AnyOf(vec![8]));
    assert_eq!(
        eight.verify(),
        Err(Rejection::GpuCountMismatch {
            found: 4,
            wanted: 8
        })
    );
    assert_eq!(
        case(vec![], |_| ()).verify(),
        Err(Rejection::GpuEvidenceMissing)
    );
    let twice = [&four[..], &four[..1]].concat();
    assert_eq!(case(twice, |_| ()).code(), Some("gpu_twice"));
    let mut last_is_bad = four.clone();
    *last_is_bad[3].report.last_mut().expect("bytes") ^= 1;
    assert_eq!(
        case(last_is_bad, |_| ()).code(),
        Some("gpu_report_signature"),
        "a good first GPU excuses nothing"
    );

    let refused = [
        (
            case(four.clone(), |wanted| wanted.switches_unchecked = None),
            "gpu_switches_unchecked",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.modes = Expect::AnyOf(vec![Mode::SinglePassthrough]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.models = Expect::AnyOf(vec!["GB100 A01 GSP BROM".to_owned()]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.drivers = Expect::AnyOf(vec!["590.13".to_owned()]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.vbioses = Expect::AnyOf(vec!["96.00.A5.00.02".to_owned()]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.devices = Expect::AnyOf(vec!["412921CE551E4EEDA3".to_owned()]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                let floor = DriverVersion::parse("590.12.1").expect("a version");
                wanted.minimum_driver =
                    chrysalis_attestation::nvidia::policy::Minimum::Driver(floor);
            }),
            "gpu_driver_below_floor",
        ),
    ];
    for (case, code) in refused {
        assert_eq!(case.code(), Some(code));
    }
    let known = case(four[..1].to_vec(), |wanted| {
        wanted.devices = Expect::AnyOf(vec!["412921CE551E4EEDA3".to_owned()]);
        wanted.modes = Expect::AnyOf(vec![Mode::ProtectedPcie]);
    });
    assert_eq!(known.code(), None);
}

#[test]
fn no_flipped_bit_of_a_report_is_ever_verified() {
    let Some(vectors) = vectors() else { return };
    let case = Case::complete(&vectors);
    let report = case.evidence[0].report.clone();
    for place in 0..report.len() {
        for bit in 0..8 {
            let mut flipped = report.clone();
            flipped[place] ^= 1 << bit;
            // Reading must not panic, whatever comes out; whole verification is slow, so it sees a part.
            let opaque = Report::parse(&flipped).and_then(|it| Opaque::parse(it.opaque));
            if opaque.is_err() || (place * 8 + bit) % 61 != 0 {
                continue;
            }
            let mut flipped_case = Case::load(&vectors.join(COMPLETE));
            flipped_case.evidence[0].report = flipped;
            let code = flipped_case.code();
            assert!(
                matches!(code, Some("gpu_nonce_mismatch" | "gpu_report_signature")),
                "{place}.{bit}: {code:?}"
            );
        }
    }
}

#[test]
fn no_flipped_bit_of_a_chain_is_ever_verified() {
    let Some(vectors) = vectors() else { return };
    let good = Case::load(&vectors.join(COMPLETE));
    for certificate in 0..5 {
        for place in (0..good.evidence[0].chain[certificate].len()).step_by(3) {
            let mut case = Case::load(&vectors.join(COMPLETE));
            case.evidence[0].chain[certificate][place] ^= 1 << (place % 8);
            assert!(
                case.code().is_some(),
                "certificate {certificate}, byte {place}"
            );
        }
    }
}

#[test]
fn no_flipped_bit_of_a_rim_is_ever_verified() {
    let Some(vectors) = vectors() else { return };
    let roots = Roots::nvidia();
    let rim = bytes(vectors.join(COMPLETE).join("rim").join(DRIVER_RIM));
    assert!(rim::verify(&rim, &roots, MARCH_2026).is_ok());
    for place in (0..rim.len()).step_by(29) {
        let mut flipped = rim.clone();
        flipped[place] ^= 1 << (place % 7);
        let refused = rim::verify(&flipped, &roots, MARCH_2026);
        assert!(refused.is_err(), "byte {place}");
    }
}
