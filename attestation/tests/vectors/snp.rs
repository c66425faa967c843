//! Real SEV-SNP reports of Milan, Genoa, Siena and Turin.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::path::{Path, PathBuf};

use chrysalis_attestation::{
    Authentic, Collateral, Cpu, Patience, Rejection, Time, Unverified,
    azure::hcl::{self, Platform},
    bundle::{CpuReport, Endorsements, Evidence},
    pem,
    roots::Roots,
    snp::{
        examine::{Examined, Question, examine, examine_wrapped},
        product::Product,
        report::{HOST_VMPL, Report, SigningKey},
        table,
    },
    verdict::{Outcome, Refusal},
};
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    expected::{bytes as read, expected, folders, shelf},
    tpm::TpmQuote,
};

/// 2026-09-01: when AMD's revocation lists among the vectors are fresh.
const SEPTEMBER_2026: Time = Time(1_788_220_800);
/// 2025-06-11: when the list of May 2025 and the VLEK are.
const JUNE_2025: Time = Time(1_749_636_861);

fn folder() -> Option<PathBuf> {
    shelf("snp")
}

/// The leaf, and the lists that were fresh at one of the two times.
fn collateral(folder: &Path, leaf: &Path) -> Collateral {
    let certificates = vec![read(leaf)];
    let crls = [
        "milan_2026-08",
        "genoa_2026-08",
        "turin_2026-08",
        "milan_2025-05",
    ];
    let crls = crls
        .map(|name| read(folder.join(format!("crls/{name}.crl.der"))))
        .to_vec();
    Endorsements {
        certificates,
        crls,
        ..Endorsements::default()
    }
}

fn authenticate(report: Vec<u8>, collateral: &Collateral, now: Time) -> Result<Authentic, Refusal> {
    let evidence = Evidence {
        cpu: CpuReport::Snp(report),
        claims: Vec::new(),
        gpus: Vec::new(),
        endorsements: Endorsements::default(),
    };
    Unverified::new(evidence).authenticate(&Roots::vendors(), collateral, now)
}

fn product(authentic: &Authentic) -> Product {
    match authentic.cpu() {
        Cpu::Snp(genuine) => genuine.product(),
        other => panic!("{other}"),
    }
}

fn rejection(report: Vec<u8>, collateral: &Collateral, now: Time) -> Rejection {
    let refusal = authenticate(report, collateral, now).expect_err("it must be refused");
    let last = refusal
        .transcript
        .checks()
        .last()
        .expect("the failed check is recorded");
    assert_eq!(
        (last.outcome, last.step),
        (Outcome::Failed, refusal.rejection.step())
    );
    refusal.rejection
}

/// A vector's report and collateral.
fn vector(name: &str) -> Option<(Vec<u8>, Collateral)> {
    let folder = folder()?;
    let leaf = ["vcek.der", "vlek.der"].map(|leaf| folder.join(name).join(leaf));
    let leaf = leaf.iter().find(|leaf| leaf.exists())?;
    Some((
        read(folder.join(name).join("report.bin")),
        collateral(&folder, leaf),
    ))
}

fn folders_with(file: &str) -> Vec<PathBuf> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut folders = folders(&folder);
    folders.retain(|path| path.join(file).exists());
    folders
}

/// Every field of a report, as the vectors' `fields` have them.
fn fields(report: &Report) -> Value {
    let mitigation = |of: fn(chrysalis_attestation::snp::report::Mitigations) -> u64| {
        report
            .mitigations
            .map(|vectors| format!("{:#x}", of(vectors)))
    };
    serde_json::json!({
        "version": report.version,
        "guest_svn": report.guest_svn,
        "policy": format!("{:#x}", report.policy.0),
        "debug": report.policy.debug_allowed(),
        "smt_allowed": report.policy.smt_allowed(),
        "migrate_ma": report.policy.migration_allowed(),
        "abi_min": format!("{}.{}", report.policy.minimum_abi().0, report.policy.minimum_abi().1),
        "family_id": hex::encode(report.family_id),
        "image_id": hex::encode(report.image_id),
        "vmpl": report.vmpl,
        "signature_algo": 1,
        "current_tcb_le": hex::encode(report.current_tcb.0),
        "reported_tcb_le": hex::encode(report.reported_tcb.0),
        "committed_tcb_le": hex::encode(report.committed_tcb.0),
        "launch_tcb_le": hex::encode(report.launch_tcb.0),
        "platform_info": format!("{:#x}", report.platform_info.0),
        "signing_key": match report.key_info.signing_key {
            SigningKey::Vcek => "VCEK",
            SigningKey::Vlek => "VLEK",
            SigningKey::None => "NONE",
        },
        "mask_chip_key": u8::from(report.key_info.chip_key_masked),
        "author_key_en": u8::from(report.key_info.author_key_enabled),
        "cpuid_fam_mod_step": report.cpuid.map(|cpuid| [cpuid.family, cpuid.model, cpuid.stepping]),
        "current_fw": report.current_firmware.to_string(),
        "committed_fw": report.committed_firmware.to_string(),
        "launch_mit_vector": mitigation(|vectors| vectors.launch),
        "current_mit_vector": mitigation(|vectors| vectors.current),
        "measurement": hex::encode(report.launch_digest),
        "report_data": hex::encode(report.report_data),
        "host_data": hex::encode(report.host_data),
        "id_key_digest": hex::encode(report.id_key_digest),
        "author_key_digest": hex::encode(report.author_key_digest),
        "report_id": hex::encode(report.report_id),
        "report_id_ma": hex::encode(report.report_id_ma),
        "chip_id": hex::encode(report.chip_id),
    })
}

#[test]
fn every_report_reads_as_expected_and_encodes_to_the_same_bytes() {
    for folder in folders_with("report.bin") {
        let bytes = read(folder.join("report.bin"));
        let report =
            Report::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert_eq!(report.encode().as_slice(), bytes, "{}", folder.display());
        let expected = expected(&folder);
        for (name, value) in fields(&report).as_object().unwrap() {
            assert_eq!(
                value,
                &expected["fields"][name],
                "{}: {name}",
                folder.display()
            );
        }
    }
}

#[test]
fn every_report_is_genuine_or_not_as_expected() {
    for path in folders_with("report.bin") {
        let expected = expected(&path);
        let Some(genuine) = expected["checks"]["signature"].as_bool() else {
            continue;
        };
        let leaf = ["vcek.der", "vlek.der", "vcek-of-other-chip.der"].map(|leaf| path.join(leaf));
        let leaf = leaf.iter().find(|leaf| leaf.exists()).expect("a leaf");
        let now = Time(
            expected["verify_at_unix"]
                .as_i64()
                .unwrap_or(SEPTEMBER_2026.0),
        );
        let collateral = collateral(path.parent().unwrap(), leaf);
        let result = authenticate(read(path.join("report.bin")), &collateral, now);
        match (genuine, result) {
            (true, Ok(authentic)) => {
                let line = expected["checks"]["vcek_chain"].as_str().unwrap();
                assert_eq!(product(&authentic).name(), line.trim_end_matches("VLEK"));
                let revocation = authentic
                    .transcript()
                    .checks()
                    .iter()
                    .find(|check| check.name == "revocation");
                assert_eq!(
                    revocation.unwrap().outcome,
                    Outcome::Passed,
                    "{}",
                    path.display()
                );
            }
            (false, Err(refusal)) => assert_eq!(refusal.rejection, Rejection::ReportSignature),
            (true, Err(refusal)) => panic!("{}: {refusal}", path.display()),
            (false, Ok(_)) => panic!("{}: it must be refused", path.display()),
        }
    }
}

#[test]
fn azures_wrapping_comes_off_every_report_and_covers_its_runtime_data() {
    let folders = folders_with("hcl-report.bin");
    for folder in &folders {
        let bytes = read(folder.join("hcl-report.bin"));
        let wrapped = hcl::unwrap(&bytes, Platform::Snp)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert_eq!(wrapped.report, read(folder.join("report.bin")));
        let runtime_data: Value = serde_json::from_slice(wrapped.runtime_data).unwrap();
        assert_eq!(runtime_data["keys"][0]["kid"], "HCLAkPub");

        let mut changed = bytes.clone();
        changed[1236] ^= 1;
        assert_eq!(
            hcl::unwrap(&changed, Platform::Snp),
            Err(Rejection::HclRuntimeData)
        );
    }
    println!("{} wrapped reports", folders.len());
}

/// How a wrapped report and its quote come out, and the codes of what is wrong.
fn examine_quote(vector: &Path, tpm: &TpmQuote, nonce: &[u8]) -> (Examined, Vec<&'static str>) {
    let roots = Roots::vendors().amd;
    let collateral = collateral(vector.parent().unwrap(), &vector.join("vcek.der"));
    let question = Question {
        roots: &roots,
        collateral: &collateral,
        now: SEPTEMBER_2026,
        policy: None,
        report_data: None,
        revocation_unchecked: None,
    };
    let wrapped = read(vector.join("hcl-report.bin"));
    let examined = examine_wrapped(
        &wrapped,
        Some(&tpm.asked(nonce)),
        &question,
        Patience::First,
    );
    let codes = examined.failures().iter().map(Rejection::code).collect();
    (examined, codes)
}

#[test]
fn every_quote_of_azures_virtual_tpm_is_genuine_and_tells_its_pcrs() {
    let folders = folders_with("evidence.json");
    for vector in &folders {
        let checks = &expected(vector)["checks"];
        assert_eq!(
            (&checks["tpm_quote_signature"], &checks["pcr_digest"]),
            (&true.into(), &true.into())
        );
        let nonce = hex::decode(checks["extra_data_hex"].as_str().unwrap()).unwrap();
        let mut tpm = TpmQuote::of(vector);
        let (examined, codes) = examine_quote(vector, &tpm, &nonce);
        assert!(codes.is_empty(), "{}: {codes:?}", vector.display());
        let told = examined.vtpm().expect("a quote");
        assert!(told.fresh);
        let pcrs = told.pcrs.as_ref().expect("values");
        assert_eq!(checks["pcrs"], pcrs.len());
        assert_eq!(pcrs.get(&4), tpm.pcrs.get(4));

        assert_eq!(
            examine_quote(vector, &tpm, b"mine").1,
            ["vtpm_nonce_mismatch"]
        );
        tpm.pcrs[4][0] ^= 1;
        assert_eq!(examine_quote(vector, &tpm, &nonce).1, ["vtpm_pcr_digest"]);
    }
    println!("{} quotes", folders.len());
}

#[test]
fn a_quote_of_another_machine_is_refused() {
    let folders = folders_with("evidence.json");
    let [one, other, ..] = folders.as_slice() else {
        return;
    };
    let (_, codes) = examine_quote(one, &TpmQuote::of(other), b"");
    assert_eq!(codes, ["vtpm_quote_signature"]);
}

#[test]
fn no_quote_of_a_virtual_tpm_with_a_flipped_bit_is_genuine() {
    let Some(folder) = folder() else { return };
    let vector = folder.join("azure-milan-v3-trustee-ev1");
    let honest = TpmQuote::of(&vector);
    for bit in 0..(honest.message.len() + honest.signature.len()) * 8 {
        let mut tpm = TpmQuote::of(&vector);
        let message = tpm.message.iter_mut();
        let byte = message.chain(&mut tpm.signature).nth(bit / 8);
        *byte.unwrap() ^= 1 << (bit % 8);
        let (examined, codes) = examine_quote(&vector, &tpm, b"challenge");
        assert!(examined.vtpm().is_none(), "bit {bit}");
        assert!(
            matches!(
                codes.as_slice(),
                ["vtpm_quote_signature" | "vtpm_quote_malformed"]
            ),
            "bit {bit}: {codes:?}"
        );
    }
}

#[test]
fn explaining_a_report_tells_everything_that_is_wrong_with_it() {
    let Some((mut report, collateral)) = vector("genoa-v3-ms") else {
        return;
    };
    report[0x010] ^= 1;
    report[0x1A0] ^= 1;
    let roots = Roots::vendors().amd;
    let question = Question {
        roots: &roots,
        collateral: &collateral,
        now: JUNE_2025,
        policy: None,
        report_data: Some(&[1; 64]),
        revocation_unchecked: None,
    };
    let codes = |patience| {
        let examined = examine(&report, &question, patience);
        assert!(examined.report().is_none(), "it is not genuine");
        let codes = examined.failures().iter().map(Rejection::code);
        codes.collect::<Vec<_>>()
    };
    assert_eq!(codes(Patience::First), ["certificate_not_yet_valid"]);
    let all = [
        "certificate_not_yet_valid",
        "report_signature",
        "chip_mismatch",
        "pin_unknown",
    ];
    assert_eq!(codes(Patience::All), all);
}

#[test]
fn refuses_reports_of_another_length() {
    let Some(folder) = folder() else { return };
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
    let Some(folder) = folder() else { return };
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
    let chain = read(folder().unwrap().join("roots/milan_vlek_cert_chain.pem"));
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
    let Some((report, collateral)) = vector("milan-v3-ms") else {
        return;
    };
    let folder = folder().unwrap();
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
    let Some((report, mut collateral)) = vector("genoa-v3-ms") else {
        return;
    };
    let folder = folder().unwrap();
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
    let Some((report, mut collateral)) = vector("genoa-v3-ms") else {
        return;
    };
    collateral
        .crls
        .retain(|list| list != &read(folder().unwrap().join("crls/genoa_2026-08.crl.der")));
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

#[test]
fn reads_the_certificate_table_of_a_guest() {
    let Some(folder) = folder() else { return };
    let vector = folder.join("genoa-v3-tsm-veraison");
    let endorsements = table::certificates(&read(vector.join("auxblob.bin"))).unwrap();
    assert_eq!(endorsements.certificates.len(), 3);
    assert!(
        endorsements
            .certificates
            .contains(&read(vector.join("vcek.der")))
    );
    let authentic = authenticate(
        read(vector.join("report.bin")),
        &endorsements,
        SEPTEMBER_2026,
    );
    assert_eq!(product(&authentic.unwrap()), Product::Genoa);
}

#[test]
fn every_cut_of_a_certificate_table_is_refused_or_read_without_panic() {
    let Some(folder) = folder() else { return };
    let table = read(folder.join("genoa-v3-tsm-veraison/auxblob.bin"));
    for length in 1..table.len() {
        assert!(table::certificates(&table[..length]).is_err(), "{length}");
    }
}

/// The signature covers neither the outermost header nor the algorithm outside: they must not be malleable either.
#[test]
fn no_certificate_is_accepted_with_a_flipped_bit_outside_of_what_is_signed() {
    for name in ["milan-v3-ms", "genoa-v3-ms", "turin-v5-ms"] {
        let Some((report, collateral)) = vector(name) else {
            return;
        };
        let signature = collateral.certificates[0].len() - 512;
        for byte in (0..4).chain(signature - 80..signature) {
            for bit in 0..8 {
                let mut collateral = collateral.clone();
                collateral.certificates[0][byte] ^= 1 << bit;
                let result = authenticate(report.clone(), &collateral, SEPTEMBER_2026);
                assert!(result.is_err(), "{name}: bit {bit} of byte {byte}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_report_with_a_flipped_bit_is_genuine(bit in 0..1184 * 8_usize) {
        for name in ["milan-v3-ms", "genoa-v3-ms", "turin-v5-ms"] {
            let Some((mut report, collateral)) = vector(name) else { return Ok(()) };
            report[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(authenticate(report, &collateral, SEPTEMBER_2026).is_err());
        }
    }

    #[test]
    fn no_certificate_with_a_flipped_bit_is_accepted(bit in any::<prop::sample::Index>()) {
        for name in ["milan-v3-ms", "genoa-v3-ms", "turin-v5-ms"] {
            let Some((report, mut collateral)) = vector(name) else { return Ok(()) };
            let leaf = &mut collateral.certificates[0];
            let bit = bit.index(leaf.len() * 8);
            leaf[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(authenticate(report, &collateral, SEPTEMBER_2026).is_err());
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let _ = Report::parse(&bytes);
        let _ = table::certificates(&bytes);
        let _ = Evidence::decode(&bytes);
        let _ = Evidence::from_certificate(&bytes);
        let _ = pem::certificates(&bytes);
        let junk = Collateral { certificates: vec![bytes.clone()], crls: vec![bytes.clone()], ..Collateral::default() };
        prop_assert!(authenticate(bytes, &junk, SEPTEMBER_2026).is_err());
    }
}
