//! Reference manifests: each by itself, and against the reports that they are about.

use std::path::PathBuf;

use chrysalis_attestation::{
    Rejection, Time,
    alone::gpus::explain,
    nvidia::{NvidiaRoots, indices::Indices, rim},
};
use serde_json::Value;

use super::{COMPLETE, Case, DRIVER_RIM, MARCH_2026, WHY, moment, text, vectors, with_rims};
use crate::expected::{bytes, expected, failures};

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
    let roots = NvidiaRoots::nvidia();
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
    let roots = NvidiaRoots::nvidia();
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
            let failures = failures(&case.ask(explain));
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
fn no_flipped_bit_of_a_rim_is_ever_verified() {
    let Some(vectors) = vectors() else { return };
    let roots = NvidiaRoots::nvidia();
    let rim = bytes(vectors.join(COMPLETE).join("rim").join(DRIVER_RIM));
    assert!(rim::verify(&rim, &roots, MARCH_2026).is_ok());
    for place in (0..rim.len()).step_by(29) {
        let mut flipped = rim.clone();
        flipped[place] ^= 1 << (place % 7);
        let refused = rim::verify(&flipped, &roots, MARCH_2026);
        assert!(refused.is_err(), "byte {place}");
    }
}
