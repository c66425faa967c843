//! Reports, certificates and lists that must not pass, each for its own reason.

use chrysalis_attestation::{
    Collateral, Rejection, Time,
    encoding::pem,
    snp::{
        product::Product,
        report::{HOST_VMPL, Report},
    },
};

use super::{
    JUNE_2025, LISTS, SEPTEMBER_2026, authenticate, collateral, folder, product, rejection, vector,
};
use crate::expected::bytes as read;

#[test]
fn refuses_reports_of_another_length() {
    let Some(folder) = folder(&[]) else { return };
    for (file, found) in [
        ("too-long-1185.bin", 1185),
        ("truncated-793.bin", 793),
        ("snp_report_msg_resp.bin", 4000),
    ] {
        let refused = Report::parse(&read(folder.join("malformed-lit").join(file)));
        assert_eq!(refused, Err(Rejection::ReportLength { found }));
    }
}

#[test]
fn refuses_a_version_an_algorithm_and_reserved_bits_that_are_not_known() {
    let Some((report, _)) = vector("genoa-v3-ms") else {
        return;
    };
    let changed = |offset: usize, value: u8| {
        let mut report = report.clone();
        report[offset] = value;
        Report::parse(&report).unwrap_err()
    };
    assert_eq!(changed(0x000, 1), Rejection::ReportVersion { found: 1 });
    assert_eq!(changed(0x000, 6), Rejection::ReportVersion { found: 6 });
    assert_eq!(changed(0x034, 2), Rejection::ReportAlgorithm { found: 2 });
    for (offset, value, field) in [
        (0x00A, 0x01, "POLICY"),
        (0x00F, 0x01, "POLICY"),
        (0x030, 0x04, "VMPL"),
        (0x048, 0x08, "SIGNING_KEY"),
        (0x048, 0x20, "KEY_INFO"),
        (0x04C, 0x01, "0x04C"),
        (0x18B, 0x01, "0x18B"),
        (0x1EB, 0x01, "0x1EB"),
        (0x1EF, 0x01, "0x1EF"),
        (0x1F8, 0x01, "MIT_VECTOR"),
        (0x208, 0x01, "0x208"),
        (0x2D0, 0x01, "SIGNATURE.R"),
        (0x318, 0x01, "SIGNATURE.S"),
        (0x49F, 0x01, "0x330"),
    ] {
        assert_eq!(
            changed(offset, value),
            Rejection::ReportReserved { field },
            "{offset:#x}"
        );
    }
}

#[test]
fn a_report_that_the_host_asked_for_is_read_as_such() {
    let Some((mut report, _)) = vector("genoa-v3-ms") else {
        return;
    };
    report[0x030..0x034].copy_from_slice(&HOST_VMPL.to_le_bytes());
    assert_eq!(Report::parse(&report).unwrap().vmpl, HOST_VMPL);
}

#[test]
fn rejects_a_report_that_no_key_signed() {
    let Some((mut report, collateral)) = vector("genoa-v3-ms") else {
        return;
    };
    report[0x048] = 7 << 2;
    assert_eq!(
        rejection(report, &collateral, SEPTEMBER_2026),
        Rejection::ReportUnsigned
    );
}

#[test]
fn rejects_a_report_without_its_certificate() {
    let Some((report, mut collateral)) = vector("genoa-v3-ms") else {
        return;
    };
    collateral.certificates.remove(0);
    let missing = Rejection::LeafMissing { kind: "VCEK" };
    assert_eq!(rejection(report, &collateral, SEPTEMBER_2026), missing);
}

#[test]
fn rejects_two_certificates_for_one_report() {
    let Some((report, mut collateral)) = vector("genoa-v3-ms") else {
        return;
    };
    let (_, other) = vector("milan-v3-ms").unwrap();
    collateral.certificates.extend(other.certificates);
    let ambiguous = Rejection::LeafAmbiguous { kind: "VCEK" };
    assert_eq!(rejection(report, &collateral, SEPTEMBER_2026), ambiguous);
}

#[test]
fn rejects_the_certificate_of_another_product_line() {
    let Some((report, _)) = vector("genoa-v3-ms") else {
        return;
    };
    let (_, other) = vector("milan-v3-ms").unwrap();
    let mismatch = Rejection::ProductMismatch {
        report: Product::Genoa,
        certificate: Product::Milan,
    };
    assert_eq!(rejection(report, &other, SEPTEMBER_2026), mismatch);
}

#[test]
fn rejects_a_cpu_without_a_known_root() {
    let Some((mut report, collateral)) = vector("turin-v5-ms") else {
        return;
    };
    report[0x189] = 0x50;
    let unknown = Rejection::ProductUnknown {
        found: "family 0x1a, model 0x50".to_owned(),
    };
    assert_eq!(rejection(report, &collateral, SEPTEMBER_2026), unknown);
}

#[test]
fn rejects_the_certificate_of_another_chip() {
    let Some(folder) = folder(&[]) else { return };
    let trustee = folder.join("milan-v2-trustee");
    for leaf in ["invalid-vcek-legacy.der", "invalid-vcek-new.der"] {
        let collateral = collateral(&folder, &trustee.join(leaf));
        let refused = rejection(
            read(trustee.join("report.bin")),
            &collateral,
            SEPTEMBER_2026,
        );
        // The second one is altered too, so that it does not even chain to AMD.
        assert!(
            matches!(
                refused,
                Rejection::ReportSignature | Rejection::ChainSignature { .. }
            ),
            "{leaf}: {refused:?}"
        );
    }
}

#[test]
fn a_providers_key_needs_no_intermediate_beside_it_and_may_have_amds_own() {
    let Some((report, mut collateral)) = vector("milan-v3-vlek-aws") else {
        return;
    };
    assert_eq!(collateral.certificates.len(), 1, "the VLEK alone");
    let authentic = authenticate(report.clone(), &collateral, JUNE_2025).unwrap();
    assert_eq!(product(&authentic), Product::Milan);
    let chain = read(folder(&[]).unwrap().join("roots/milan_vlek_cert_chain.pem"));
    let chain = pem::certificates(&chain).unwrap();
    collateral.certificates.extend(chain);
    assert!(authenticate(report, &collateral, JUNE_2025).is_ok());
}

#[test]
fn rejects_an_expired_certificate() {
    let Some((report, collateral)) = vector("milan-v3-vlek-aws") else {
        return;
    };
    match rejection(report, &collateral, SEPTEMBER_2026) {
        Rejection::CertificateExpired {
            which: "report key's",
            until,
        } => {
            assert!(until.to_string().starts_with("2025-12-10"), "{until}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rejects_a_certificate_from_the_future() {
    let Some((report, collateral)) = vector("genoa-v3-ms") else {
        return;
    };
    match rejection(report, &collateral, Time(1_735_689_600)) {
        Rejection::CertificateNotYetValid {
            which: "report key's",
            ..
        } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn rejects_a_stale_list_and_one_from_the_future() {
    let Some(folder) = folder(&LISTS) else { return };
    let (report, collateral) = vector("milan-v3-ms").unwrap();
    let with = |name: &str| Collateral {
        crls: vec![read(folder.join(format!("crls/{name}.crl.der")))],
        ..collateral.clone()
    };
    let stale = rejection(report.clone(), &with("milan_2025-05"), SEPTEMBER_2026);
    assert!(matches!(stale, Rejection::CrlExpired { .. }), "{stale:?}");
    let (report, collateral) = vector("milan-v3-vlek-aws").unwrap();
    let crls = vec![read(folder.join("crls/milan_2026-08.crl.der"))];
    let early = rejection(report, &Collateral { crls, ..collateral }, JUNE_2025);
    assert!(
        matches!(early, Rejection::CrlNotYetValid { .. }),
        "{early:?}"
    );
}

#[test]
fn rejects_a_list_with_one_flipped_bit() {
    let Some(folder) = folder(&LISTS) else { return };
    let (report, mut collateral) = vector("genoa-v3-ms").unwrap();
    let mut list = read(folder.join("crls/genoa_2026-08.crl.der"));
    // In the revoked serial number 02 00 01: a list that would revoke something else.
    let serial = list
        .windows(5)
        .position(|bytes| bytes == [0x02, 0x03, 0x02, 0x00, 0x01])
        .unwrap();
    list[serial + 4] ^= 2;
    collateral.crls = vec![list];
    assert_eq!(
        rejection(report, &collateral, SEPTEMBER_2026),
        Rejection::CrlSignature
    );
}

#[test]
fn says_that_revocation_is_unchecked_without_a_list() {
    let Some(folder) = folder(&LISTS) else { return };
    let (report, mut collateral) = vector("genoa-v3-ms").unwrap();
    collateral
        .crls
        .retain(|list| list != &read(folder.join("crls/genoa_2026-08.crl.der")));
    let authentic = authenticate(report, &collateral, SEPTEMBER_2026).unwrap();
    assert!(
        authentic
            .transcript()
            .checks()
            .iter()
            .all(|check| check.name != "revocation")
    );
}

#[test]
fn rejects_a_report_with_another_value_in_a_signed_field() {
    let Some((report, collateral)) = vector("genoa-v3-ms") else {
        return;
    };
    // Guest SVN, family, VMPL, report data, measurement, host data, both TCBs, chip id, r, s.
    for offset in [
        0x04, 0x10, 0x30, 0x50, 0x90, 0xC0, 0x38, 0x180, 0x1A0, 0x2A0, 0x2E8,
    ] {
        let mut report = report.clone();
        report[offset] ^= 1;
        assert_eq!(
            rejection(report, &collateral, SEPTEMBER_2026),
            Rejection::ReportSignature,
            "{offset:#x}"
        );
    }
}

#[test]
fn rejects_a_signature_of_zeros() {
    let Some((mut report, collateral)) = vector("genoa-v3-ms") else {
        return;
    };
    report[0x2A0..0x330].fill(0);
    assert_eq!(
        rejection(report, &collateral, SEPTEMBER_2026),
        Rejection::ReportSignature
    );
}
