//! Real SEV-SNP reports of Milan, Genoa, Siena and Turin.

mod azure;
mod bits;
mod refusals;

use std::path::{Path, PathBuf};

use chrysalis_attestation::{
    Authentic, Collateral, Cpu, Refusal, Rejection, Time, Unverified, Waivers,
    alone::snp::{SnpQuestion, explain, verify},
    evidence::{CpuReport, Endorsements, Evidence},
    roots::Roots,
    snp::{
        product::Product,
        report::{Report, SigningKey},
        table,
    },
    transcript::Outcome,
};
use serde_json::Value;

use crate::expected::{bytes as read, codes, expected, folders, name, shelf};

/// 2026-09-01: when AMD's revocation lists among the vectors are fresh.
const SEPTEMBER_2026: Time = Time(1_788_220_800);
/// 2025-06-11: when the list of May 2025 and the VLEK are.
const JUNE_2025: Time = Time(1_749_636_861);

/// AMD's lists of August 2026, which are not shipped.
const LISTS: [&str; 3] = [
    "crls/milan_2026-08.crl.der",
    "crls/genoa_2026-08.crl.der",
    "crls/turin_2026-08.crl.der",
];

fn folder(needs: &[&str]) -> Option<PathBuf> {
    shelf("snp", needs)
}

/// The leaf, and those of the lists that are there and were fresh at one of the two times.
fn collateral(folder: &Path, leaf: &Path) -> Collateral {
    let certificates = vec![read(leaf)];
    let crls = LISTS.iter().chain(&["crls/milan_2025-05.crl.der"]);
    let crls = crls
        .map(|list| folder.join(list))
        .filter(|list| list.exists());
    Endorsements {
        certificates,
        crls: crls.map(read).collect(),
        ..Endorsements::default()
    }
}

fn authenticate(report: Vec<u8>, collateral: &Collateral, now: Time) -> Result<Authentic, Refusal> {
    let evidence = Evidence {
        cpu: CpuReport::Snp(report),
        claims: Vec::new(),
        gpus: Vec::new(),
        path: None,
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
    let folder = folder(&[])?;
    let leaf = ["vcek.der", "vlek.der"].map(|leaf| folder.join(name).join(leaf));
    let leaf = leaf.iter().find(|leaf| leaf.exists())?;
    Some((
        read(folder.join(name).join("report.bin")),
        collateral(&folder, leaf),
    ))
}

fn folders_with(file: &str, needs: &[&str]) -> Vec<PathBuf> {
    let Some(folder) = folder(needs) else {
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
    for folder in folders_with("report.bin", &[]) {
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
    for path in folders_with("report.bin", &LISTS) {
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
fn explaining_a_report_tells_everything_that_is_wrong_with_it() {
    let (Some(_), Some((mut report, collateral))) = (folder(&LISTS), vector("genoa-v3-ms")) else {
        return;
    };
    report[0x010] ^= 1;
    report[0x1A0] ^= 1;
    let roots = Roots::vendors().amd;
    let question = SnpQuestion {
        report_data: Some(&[1; 64]),
        ..SnpQuestion::new(&roots, &collateral, JUNE_2025)
    };
    let first = verify(&report, &question);
    assert_eq!(codes(&first), ["certificate_not_yet_valid"]);
    let all = [
        "certificate_not_yet_valid",
        "report_signature",
        "chip_mismatch",
        "pin_unknown",
    ];
    assert_eq!(codes(&explain(&report, &question)), all);
}

/// Evidence of Milan machines is among the vectors, and what is tested with it is something else.
fn milan_accepted() -> Waivers {
    Waivers {
        broken: [(Product::Milan, "a vector".to_owned())].into(),
        ..Waivers::default()
    }
}

#[test]
fn every_report_of_a_milan_is_refused_by_its_own_code_unless_somebody_says_why() {
    let roots = Roots::vendors().amd;
    if folder(&LISTS).is_none() {
        return;
    }
    let mut found = 0;
    for path in folders_with("report.bin", &[]) {
        let expected = expected(&path);
        let leaf = ["vcek.der", "vlek.der"].map(|leaf| path.join(leaf));
        let Some(leaf) = leaf.iter().find(|leaf| leaf.exists()) else {
            continue;
        };
        let now = expected["verify_at_unix"].as_i64();
        let collateral = collateral(path.parent().unwrap(), leaf);
        let report = read(path.join("report.bin"));
        let ask = |waivers| {
            let now = Time(now.unwrap_or(SEPTEMBER_2026.0));
            let question = SnpQuestion {
                waivers,
                ..SnpQuestion::new(&roots, &collateral, now)
            };
            explain(&report, &question)
        };
        let strict = codes(&ask(Waivers::none()));
        let waived = codes(&ask(&milan_accepted()));
        assert!(!waived.contains(&"product_broken"), "{}", path.display());
        let is_milan = name(&path).contains("milan");
        assert_eq!(
            strict.contains(&"product_broken"),
            is_milan,
            "{}: {strict:?}",
            path.display()
        );
        found += usize::from(is_milan);
    }
    println!("{found} reports of Milan");
    assert!(found > 0);
}

#[test]
fn reads_the_certificate_table_of_a_guest() {
    let Some(folder) = folder(&[]) else { return };
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
    let Some(folder) = folder(&[]) else { return };
    let table = read(folder.join("genoa-v3-tsm-veraison/auxblob.bin"));
    for length in 1..table.len() {
        assert!(table::certificates(&table[..length]).is_err(), "{length}");
    }
}
