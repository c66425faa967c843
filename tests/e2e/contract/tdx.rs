//! `verify tdx` on quotes of real TDs, with Intel's collateral of several times.

use std::{fs, path::Path};

use chrysalis_test_support::real;
use serde_json::Value;
use tempfile::TempDir;

use super::{JUNE_2025, assert_no_damage_passes, codes, expected, no_verdict, verdict};

/// In the time of the collateral that calls the platform of `v4-phala` current.
const CURRENT: &str = "b0c06f-2025-06";
const JULY_2025: &str = "2025-07-01T00:00:00Z";
/// In the time of the collateral that calls it out of date.
const OUT_OF_DATE: &str = "b0c06f-2026-08";
const SEPTEMBER_2026: &str = "2026-09-01T00:00:00Z";
const APRIL_2026: &str = "2026-04-01T00:00:00Z";

fn tdx(quote: &str, collateral: &str, more: &str) -> String {
    format!(
        "tdx --quote tdx/quotes/{quote}/quote.bin --quote-collateral tdx/collateral/{collateral}/collateral.json {more}"
    )
}

fn current(more: &str) -> String {
    tdx("v4-phala", CURRENT, &format!("--at {JULY_2025} {more}"))
}

#[test]
fn current_tds_are_genuine() {
    let Some(folder) = real(&[]) else { return };
    for (quote, collateral, at) in [
        ("v4-phala", CURRENT, JULY_2025),
        ("v5-td15-gtg", "90c06f-2026-03", APRIL_2026),
        (
            "v4-cos113-gcp-gtg",
            "00806f05-2025-06",
            "2025-06-20T00:00:00Z",
        ),
    ] {
        let (code, found) = verdict(&folder, &tdx(quote, collateral, &format!("--at {at}")));
        assert_eq!(
            (code, &found["verdict"]),
            (0, &"genuine".into()),
            "{quote}: {found}"
        );
        let fields = &expected(&folder, &format!("tdx/quotes/{quote}"))["fields"];
        let claims = &found["claims"]["cpu"];
        assert_eq!(claims["measurement"], fields["mrtd"], "{quote}");
        for register in 0..4 {
            assert_eq!(
                claims["rtmr"][register], fields["rtmr"][register],
                "{quote}"
            );
        }
        assert_eq!(claims["report_data"], fields["rd"], "{quote}");
        assert_eq!(claims["version"], fields["quote_version"], "{quote}");
        assert_eq!(claims["tcb"], fields["tee_tcb_svn"], "{quote}");
        assert_eq!(claims["mrseam"], fields["mrseam"], "{quote}");
        let pck = &fields["pck"];
        assert_eq!(claims["cpu_svn"], pck["cpusvn"], "{quote}");
        assert_eq!(claims["pce_svn"], pck["pcesvn"], "{quote}");
        assert_eq!(claims["fmspc"], pck["fmspc"], "{quote}");
        assert_eq!(claims["status"], "UpToDate", "{quote}");
        assert_eq!(claims["advisories"], Value::Array(vec![]), "{quote}");
        assert!(claims["evaluation"].is_u64(), "{quote}");
    }
}

#[test]
fn an_out_of_date_platform_is_refused_and_what_it_is_told() {
    let Some(folder) = real(&[]) else { return };
    let arguments = tdx("v4-phala", OUT_OF_DATE, &format!("--at {SEPTEMBER_2026}"));
    let (code, found) = verdict(&folder, &arguments);
    assert_eq!((code, &found["code"]), (1, &"tcb_status_refused".into()));
    let claims = &found["claims"]["cpu"];
    assert_eq!(
        claims["status"], "OutOfDate",
        "it is signed, so it is known"
    );
    assert_eq!(claims["advisories"][0], "INTEL-SA-01192");
}

#[test]
fn a_td_that_the_host_may_debug_is_refused_and_all_failures_are_told() {
    let Some(folder) = real(&[]) else { return };
    let debugged = |more: &str| {
        let at = format!("--at {APRIL_2026} {more}");
        verdict(&folder, &tdx("v4-debug-trustee", "50806f-2026-03", &at)).1
    };
    let found = debugged("--explain-only");
    assert_eq!(codes(&found), ["tcb_status_refused", "td_debug"]);
    assert_eq!(found["claims"]["cpu"]["debug"], true);
    assert_eq!(
        codes(&debugged("")),
        ["tcb_status_refused"],
        "the first alone"
    );
}

#[test]
fn collateral_of_another_platform_or_time_is_refused() {
    let Some(folder) = real(&[]) else { return };
    let other = tdx("v4-phala", "50806f-2026-03", &format!("--at {APRIL_2026}"));
    let (code, found) = verdict(&folder, &other);
    assert_eq!((code, &found["code"]), (1, &"tcb_info_mismatch".into()));
    assert_eq!(found["claims"], Value::Null);
    let stale = current("").replace(JULY_2025, SEPTEMBER_2026);
    assert_eq!(verdict(&folder, &stale).1["code"], "intel_crl_expired");
    let early = current("").replace(JULY_2025, "2025-06-01T00:00:00Z");
    assert_eq!(
        verdict(&folder, &early).1["code"],
        "intel_crl_not_yet_valid"
    );
    let part = current("").replace("collateral.json", "tcb_info.json");
    assert_eq!(
        verdict(&folder, &part).1["code"],
        "tdx_collateral_malformed"
    );
}

#[test]
fn an_enclaves_quote_and_one_that_was_changed_are_refused_by_name() {
    let Some(folder) = real(&[]) else { return };
    let enclave = tdx("v3-sgx-phala", CURRENT, "");
    assert_eq!(verdict(&folder, &enclave).1["code"], "quote_of_enclave");
    let keep = TempDir::new().expect("a folder");
    let changed = keep.path().join("quote.bin");
    let mut quote = fs::read(folder.join("tdx/quotes/v4-phala/quote.bin")).expect("a quote");
    let ask = |quote: &[u8]| {
        fs::write(&changed, quote).expect("a file");
        let name = changed.display().to_string();
        let arguments = current("").replace("tdx/quotes/v4-phala/quote.bin", &name);
        verdict(&folder, &arguments).1
    };
    let as_text = hex::encode(&quote);
    assert_eq!(
        ask(as_text.as_bytes())["verdict"],
        "genuine",
        "hex says the same"
    );
    // In MRTD.
    quote[184] ^= 1;
    let found = ask(&quote);
    assert_eq!(found["code"], "quote_signature");
    assert_eq!(found["claims"], Value::Null, "nothing of it is known");
}

/// A policy for `v4-phala`, with these lines in `[tdx]` and these after it.
fn policy(folder: &Path, lines: &str, end: &str) -> String {
    let fields = &expected(folder, "tdx/quotes/v4-phala")["fields"];
    let (mrtd, rtmr) = (&fields["mrtd"], &fields["rtmr"]);
    format!(
        "version = 1\n[tdx]\nmrtd = [{mrtd}]\nrtmr0 = [{}]\nrtmr1 = [{}]\nrtmr2 = [{}]\n\
         mrconfigid = [\"{}\"]\n{lines}\n{end}\n",
        rtmr[0],
        rtmr[1],
        rtmr[2],
        "00".repeat(48)
    )
}

#[test]
fn trust_needs_a_policy_that_says_what_is_wanted() {
    let Some(folder) = real(&[]) else { return };
    let keep = TempDir::new().expect("a folder");
    let file = keep.path().join("policy.toml");
    let asked = expected(&folder, "tdx/quotes/v4-phala")["fields"]["rd"].clone();
    let asked = format!("--report-data {}", asked.as_str().expect("hex"));
    let ask = |text: &str, more: &str| {
        fs::write(&file, text).expect("a policy");
        let more = format!("--policy {} {more}", file.display());
        verdict(&folder, &current(&more)).1
    };
    let no_log = "event_log = { unchecked = \"none was kept\" }";
    let with = |lines: &str| policy(&folder, &format!("{no_log}\n{lines}"), "");
    let wanted = with("minimum_evaluation = 17");
    assert_eq!(ask(&wanted, &asked)["verdict"], "trusted");
    assert_eq!(ask(&wanted, "--report-data 01")["code"], "td_refused");
    assert_eq!(ask(&wanted, "")["code"], "freshness_unchecked");
    assert_eq!(ask(&wanted, "--without freshness")["verdict"], "trusted");
    let kept = "[session]\nfreshness = { unchecked = \"kept for the record\" }";
    assert_eq!(ask(&format!("{wanted}{kept}"), "")["verdict"], "trusted");

    let newer = with("minimum_evaluation = 18");
    assert_eq!(ask(&newer, &asked)["code"], "tcb_evaluation_below_floor");
    let owned = with(&format!(
        "minimum_evaluation = 17\nmrowner = [\"{}\"]",
        "11".repeat(48)
    ));
    assert_eq!(ask(&owned, &asked)["code"], "td_refused");
    let log = policy(&folder, "minimum_evaluation = 17", "");
    assert_eq!(ask(&log, &asked)["code"], "event_log_missing");
    let without = format!("{asked} --without event-log");
    assert_eq!(ask(&log, &without)["verdict"], "trusted");

    fs::write(&file, with("minimum_evaluations = 17")).expect("a policy");
    let typo = current(&format!("--policy {}", file.display()));
    no_verdict(&folder, &typo, "did you mean `minimum_evaluation`?");
}

#[test]
fn without_a_policy_what_was_asked_counts_all_the_same() {
    let Some(folder) = real(&[]) else { return };
    let found = verdict(&folder, &current("--report-data 00")).1;
    assert_eq!(found["code"], "td_refused");
}

/// The events that dstack keeps as JSON, as a TCG2 log.
fn event_log(folder: &Path) -> Vec<u8> {
    let report = folder.join("tdx/quotes/v4-dstack-report/quote-report.json");
    let report: Value = serde_json::from_slice(&fs::read(report).expect("a report")).expect("JSON");
    let events = report["event_log"].as_str().expect("text");
    let events: Vec<Value> = serde_json::from_str(events).expect("JSON");
    let number = |value: &Value| u32::try_from(value.as_u64().expect("a number")).expect("small");
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_le_bytes();
    let hex = |value: &Value| hex::decode(value.as_str().expect("hex")).expect("hex");
    let specification = [
        b"Spec ID Event03\0".as_slice(),
        &[0, 0, 0, 0, 0, 2, 0, 2],
        &[1, 0, 0, 0, 0x0C, 0, 48, 0, 0],
    ]
    .concat();
    let mut log = [
        &[0, 0, 0, 0, 3, 0, 0, 0],
        &[0; 20][..],
        &length(&specification),
    ]
    .concat();
    log.extend(specification);
    for event in &events {
        let payload = hex(&event["event_payload"]);
        for part in [number(&event["imr"]) + 1, number(&event["event_type"]), 1] {
            log.extend(part.to_le_bytes());
        }
        log.extend([0x0C, 0]);
        log.extend(hex(&event["digest"]));
        log.extend(length(&payload));
        log.extend(payload);
    }
    log
}

#[test]
fn an_event_log_explains_the_registers_or_is_refused() {
    let Some(folder) = real(&[]) else { return };
    let keep = TempDir::new().expect("a folder");
    let file = keep.path().join("log");
    let mut log = event_log(&folder);
    let ask = |log: &[u8], more: &str| {
        fs::write(&file, log).expect("a log");
        let more = format!("--event-log {} --at {APRIL_2026} {more}", file.display());
        verdict(&folder, &tdx("v4-dstack-report", "90c06f-2026-03", &more)).1
    };
    let found = ask(&log, "--explain-only");
    assert!(!codes(&found).contains(&"event_log_mismatch"), "{found}");
    let events = found["claims"]["cpu"]["event_log"]
        .as_array()
        .expect("events");
    assert!(events.iter().any(|event| event["data_is_measured"] == true));
    // In the first event's digest.
    log[32 + 33 + 14] ^= 1;
    let found = ask(&log, "--explain-only");
    assert!(codes(&found).contains(&"event_log_mismatch"), "{found}");
    let found = ask(&log[..200], "--explain-only");
    assert!(codes(&found).contains(&"event_log_malformed"), "{found}");
}

#[test]
fn swapped_files_are_named() {
    let Some(folder) = real(&[]) else { return };
    let keep = TempDir::new().expect("a folder");
    let log = keep.path().join("log").display().to_string();
    fs::write(&log, event_log(&folder)).expect("a log");
    let collateral = "tdx/collateral/b0c06f-2025-06/collateral.json";
    let quote = "tdx/quotes/v4-phala/quote.bin";
    let azure = "tdx/quotes/azure-tdx-cdai-live";
    for (file, kind) in [
        ("snp/milan-v3-ms/report.bin", "an SEV-SNP report"),
        (
            "snp/azure-genoa-v3-trustee/hcl-report.bin",
            "an Azure HCL report",
        ),
        (
            &format!("{azure}/hcl-report.bin"),
            "an Azure HCL report of a TDX guest",
        ),
        (&format!("{azure}/tdreport.bin"), "a TDREPORT"),
        ("nvidia/h100-550.90.07/report.bin", "a GPU report"),
        ("nvidia/h100-550.90.07/report.hex.txt", "a GPU report"),
        ("snp/milan-v3-ms/vcek.der", "a certificate"),
        (collateral, "TDX collateral"),
        (&log, "an event log"),
    ] {
        let arguments = format!("tdx --quote {file} --quote-collateral {collateral}");
        no_verdict(&folder, &arguments, &format!("{file} is {kind}"));
        no_verdict(&folder, &arguments, ", not a TDX quote");
    }
    for (file, kind) in [
        (quote, "a TDX quote"),
        (
            "tdx/collateral/b0c06f-2025-06/pck_crl.der",
            "a revocation list",
        ),
        ("tdx/quotes/v4-phala/pck_chain.pem", "a certificate"),
        (
            "nvidia/h100-590.12-multi4/multi_gpu_hopper.json",
            "GPU evidence in JSON",
        ),
        ("/dev/null", "empty"),
    ] {
        let arguments = format!("tdx --quote {quote} --quote-collateral {file}");
        no_verdict(
            &folder,
            &arguments,
            &format!("{file} is {kind}, not TDX collateral"),
        );
    }
    let swapped =
        format!("tdx --quote {quote} --quote-collateral {collateral} --event-log {quote}");
    no_verdict(&folder, &swapped, "is a TDX quote, not an event log");
    let swapped = format!("snp --report {log} --cert snp/milan-v3-ms/vcek.der");
    no_verdict(&folder, &swapped, "is an event log, not an SEV-SNP report");
}

#[test]
fn a_command_line_that_asks_nothing_has_no_verdict() {
    let Some(folder) = real(&[]) else { return };
    no_verdict(
        &folder,
        "tdx --quote tdx/quotes/v4-phala/quote.bin",
        "--quote-collateral <FILE>",
    );
    no_verdict(&folder, &current("--without crl"), "--without");
    no_verdict(
        &folder,
        &current("--report-data xy"),
        "write it as hex digits",
    );
    let endless = "tdx --quote /dev/zero --quote-collateral /dev/zero";
    no_verdict(&folder, endless, "has more than 1048576 bytes");
}

#[test]
fn damaged_bytes_end_in_a_refusal_or_an_error() {
    let Some(folder) = real(&[]) else { return };
    assert_no_damage_passes(&folder, &current(""));
    let newer = tdx(
        "v5-td15-gtg",
        "90c06f-2026-03",
        &format!("--at {APRIL_2026}"),
    );
    assert_no_damage_passes(&folder, &newer);
    let older = tdx(
        "v3-sgx-phala",
        "sgx-00a06711-2025-06",
        &format!("--at {JUNE_2025}"),
    );
    assert_no_damage_passes(&folder, &older);
}
