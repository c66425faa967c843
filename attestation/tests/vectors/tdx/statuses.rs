//! Every quote with every collateral of its platform: the status, and every field.

use std::path::Path;

use chrysalis_attestation::{
    alone::{Verified, tdx::explain},
    tdx::{Genuine, Status, TdxPolicy},
};
use chrysalis_test_support::{NOT_SHIPPED, skip};
use serde_json::Value;

use super::{Case, WHY, any_status, evaluations, vectors};
use crate::expected::{expected, folders, name};

/// What should come out, of what the folder says: Intel's rules, unless a certificate was not valid yet or nothing matched.
fn wanted(evaluation: &Value) -> Result<String, &'static str> {
    let said = evaluation["dcap_qvl_0_7"].as_str().unwrap_or_default();
    let summary = evaluation["summary"].as_str().unwrap_or_default();
    let rules = &evaluation["intel_qvl_rules"];
    if said.contains("CertNotValidYet") {
        return Err("intel_certificate_not_yet_valid");
    }
    if said.contains("Debug mode") {
        return Err("td_debug");
    }
    if said.contains("SEPT_VE_DISABLE") {
        return Err("td_sept_ve");
    }
    match rules["final"].as_str() {
        Some(status) if !summary.contains("not supported") && Status::parse(status).is_some() => {
            Ok(status.to_owned())
        }
        _ => Err("tcb_not_supported"),
    }
}

fn of_collateral_at_hand(vectors: &Path, expected: &Value) -> Vec<Value> {
    let (here, left): (Vec<_>, Vec<_>) = evaluations(expected).into_iter().partition(|it| {
        let name = it["collateral"].as_str().expect("a name");
        let folder = vectors.join("collateral").join(name);
        folder.join("collateral.json").exists()
    });
    if !left.is_empty() {
        skip(NOT_SHIPPED);
    }
    here
}

fn check_fields(verified: &Verified<Genuine>, expected: &Value, place: &str) {
    let fields = &expected["fields"];
    let td = verified.td();
    let report = &td.report;
    let texts = [
        ("tee_tcb_svn", report.tee_tcb_svn.to_string()),
        ("mrseam", report.mrseam.to_string()),
        ("mrsignerseam", report.mrsignerseam.to_string()),
        ("seamattr", report.seam_attributes.to_string()),
        ("tdattr", hex::encode(report.attributes.to_le_bytes())),
        ("xfam", hex::encode(report.xfam.to_le_bytes())),
        ("mrtd", report.mrtd.to_string()),
        ("mrcfgid", report.mrconfigid.to_string()),
        ("mrowner", report.mrowner.to_string()),
        ("mrownercfg", report.mrownerconfig.to_string()),
        ("rd", report.report_data.to_string()),
    ];
    for (field, found) in texts {
        assert_eq!(fields[field], found, "{place} {field}");
    }
    for (place_of, register) in report.rtmr.iter().enumerate() {
        assert_eq!(fields["rtmr"][place_of], register.to_string(), "{place}");
    }
    if let (Some(svn), Some(service)) = (report.tee_tcb_svn_2, report.mrservicetd) {
        assert_eq!(fields["tee_tcb_svn2"], svn.to_string(), "{place}");
        assert_eq!(fields["mrservicetd"], service.to_string(), "{place}");
    }
    assert_eq!(fields["quote_version"], td.version, "{place}");
    assert_eq!(fields["trailing_bytes"], td.trailing_bytes, "{place}");
    let pck = &fields["pck"];
    let platform = &td.platform;
    assert_eq!(pck["fmspc"], platform.fmspc.to_string(), "{place}");
    assert_eq!(pck["pceid"], platform.pceid.to_string(), "{place}");
    assert_eq!(pck["pcesvn"], platform.pcesvn, "{place}");
    assert_eq!(pck["ppid"], platform.ppid.to_string(), "{place}");
    assert_eq!(pck["sgxtype"], platform.sgx_type, "{place}");
    let components: Vec<u64> = platform
        .components
        .0
        .iter()
        .map(|it| u64::from(*it))
        .collect();
    assert_eq!(pck["comps"], Value::from(components), "{place}");
    assert_eq!(fields["qe"]["isvsvn"], td.qe_svn, "{place}");
}

#[test]
fn every_quote_has_the_expected_status_with_every_collateral() {
    let Some(vectors) = vectors(&[]) else { return };
    let (mut pairs, mut verified_pairs) = (0, 0);
    for folder in folders(&vectors.join("quotes")) {
        let quote = name(&folder);
        let expected = expected(&folder);
        if quote.starts_with("v3-sgx") {
            continue;
        }
        for evaluation in of_collateral_at_hand(&vectors, &expected) {
            let with = evaluation["collateral"].as_str().expect("a name");
            let place = format!("{quote} @ {with}");
            let mut policy = any_status();
            let said = evaluation["dcap_qvl_0_7"].as_str().unwrap_or_default();
            let wanted = match wanted(&evaluation) {
                // Our order has Intel's rules first and the policy's bits after them; with the bits allowed, the status counts.
                Err("td_debug" | "td_sept_ve") => {
                    let strict = Case::new(&vectors, &quote, with, any_status());
                    let code = if said.contains("Debug") {
                        "td_debug"
                    } else {
                        "td_sept_ve"
                    };
                    assert_eq!(strict.code(), code, "{place}");
                    policy.debug = true;
                    policy.sept_ve_accepted = Some(WHY.to_owned());
                    Ok(evaluation["intel_qvl_rules"]["final"]
                        .as_str()
                        .expect("a status")
                        .to_owned())
                }
                wanted => wanted,
            };
            if folder.join("hcl-report.bin").exists() {
                policy.sept_ve_accepted = Some(WHY.to_owned());
            }
            let mut case = Case::new(&vectors, &quote, with, policy);
            pairs += 1;
            let found = case.verify();
            match (&found, &wanted) {
                (Ok(verified), Ok(status)) => {
                    verified_pairs += 1;
                    assert_eq!(verified.td().status.word(), status, "{place}");
                    check_fields(verified, &expected, &place);
                    let rules = &evaluation["intel_qvl_rules"];
                    if let Some(module) = verified.td().module_status {
                        assert_eq!(rules["module"], module.word(), "{place}");
                    }
                    assert_eq!(
                        rules["tdx"],
                        verified.td().platform_status.word(),
                        "{place}"
                    );
                    assert_eq!(rules["qe"], verified.td().qe_status.word(), "{place}");
                    let mut advisories: Vec<String> =
                        serde_json::from_value(rules["adv"].clone()).expect("a list");
                    advisories.sort();
                    advisories.dedup();
                    assert_eq!(verified.td().advisories, advisories, "{place}");
                    let numbers: Vec<u32> =
                        serde_json::from_value(rules["evalnum"].clone()).expect("numbers");
                    assert_eq!(
                        Some(verified.td().evaluation),
                        numbers.into_iter().min(),
                        "{place}"
                    );
                    assert!(verified.until() >= case.now, "{place}");
                    assert!(!verified.simulated(), "{place}");
                    if status != "UpToDate" {
                        case.policy.statuses = TdxPolicy::genuine(WHY).statuses;
                        assert_eq!(case.code(), "tcb_status_refused", "{place}");
                    }
                }
                (Err(rejection), Err(code)) => {
                    assert_eq!(rejection.code(), *code, "{place}: {rejection}");
                }
                (found, wanted) => panic!("{place}: {found:?}, expected {wanted:?}"),
            }
        }
    }
    assert!(
        pairs >= 48 && verified_pairs >= 20,
        "{pairs}, {verified_pairs}"
    );
    println!("{pairs} pairs of quote and collateral, {verified_pairs} verified");
}

/// Strict by default, without a word from anybody: exactly the quotes pass that dcap-qvl and Intel's rules call current.
#[test]
fn the_strict_default_accepts_what_everybody_calls_current() {
    let Some(vectors) = vectors(&[]) else { return };
    let mut genuine = 0;
    for folder in folders(&vectors.join("quotes")) {
        let quote = name(&folder);
        for evaluation in of_collateral_at_hand(&vectors, &expected(&folder)) {
            let with = evaluation["collateral"].as_str().expect("a name");
            let case = Case::new(&vectors, &quote, with, TdxPolicy::genuine(WHY));
            let current = evaluation["dcap_qvl_0_7"]["status"] == "UpToDate"
                && evaluation["intel_qvl_rules"]["final"] == "UpToDate";
            assert_eq!(case.verify().is_ok(), current, "{quote} @ {with}");
            genuine += usize::from(current);
        }
    }
    println!("{genuine} pairs are genuine by the strict default");
}

#[test]
fn a_current_td_passes_the_strict_policy() {
    let Some(vectors) = vectors(&[]) else { return };
    for (quote, with) in [
        ("v4-phala", "b0c06f-2025-06"),
        ("v5-td15-gtg", "90c06f-2026-03"),
        ("v4-cos113-gcp-gtg", "00806f05-2025-06"),
    ] {
        let case = Case::new(&vectors, quote, with, TdxPolicy::genuine(WHY));
        let verified = case.verify().expect(quote);
        assert_eq!(verified.td().status, Status::UpToDate, "{quote}");
        assert!(
            case.ask(|evidence, question| explain(evidence, question))
                .is_ok(),
            "{quote}"
        );
    }
    let newer = Case::new(
        &vectors,
        "v4-phala",
        "b0c06f-2026-08",
        TdxPolicy::genuine(WHY),
    );
    assert_eq!(newer.code(), "tcb_status_refused");
}
