//! Every report by itself, and one with everything that bears on it.

use chrysalis_attestation::{
    Rejection,
    nvidia::{
        GpuCollateral, GpuEvidence,
        evidence::read,
        measurements::Compared,
        opaque::{Mode, Opaque},
        policy::Proof,
        rim::{driver_rim_id, vbios_rim_id},
        spdm::Report,
    },
};
use serde_json::Value;

use super::{
    COMPLETE, Case, DRIVER_RIM, MARCH_2026, VBIOS_RIM, WHY, array, moment, text, vectors,
    with_rims, without_collateral,
};
use crate::expected::{bytes, expected, folders, name};

/// What expected.json says of one GPU, and whether report, chain and firmware identity hold up.
fn compare(evidence: &GpuEvidence, fields: &Value, checks: &Value, name: &str) {
    let nonce = array(text(fields, "nonce"));
    let mut case = Case {
        evidence: vec![evidence.clone()],
        nonce,
        collateral: GpuCollateral::default(),
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
    for folder in folders(&vectors) {
        let name = name(&folder);
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
    let counted = |it: Option<&Compared>| it.map(|it| (it.matching.len(), it.skipped.clone()));
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
            which: "device identity (BROM)"
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
