//! `verify snp` and `verify tdx` with what Azure's guests have: the HCL report, and the quote of the virtual TPM.

use std::{fs, path::Path};

use chrysalis_test_support::real;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    BROKEN, SEPTEMBER_2026, assert_no_damage_passes, codes, expected, no_verdict, snp, verdict,
};

/// Azure's report of a vector.
fn azure(vector: &str, more: &str) -> String {
    format!(
        "snp --report snp/{vector}/hcl-report.bin --cert snp/{vector}/vcek.der --without crl --at {SEPTEMBER_2026} {more} {}",
        // A policy says it itself.
        if more.contains("--policy") {
            ""
        } else {
            BROKEN
        }
    )
}

#[test]
fn the_quote_of_azures_virtual_tpm_is_genuine_and_tells_its_pcrs() {
    let Some(folder) = real(&[]) else { return };
    for vector in [
        "azure-genoa-v3-trustee",
        "azure-milan-v3-cdai-live",
        "azure-milan-v3-trustee-ev0",
        "azure-milan-v3-trustee-ev1",
    ] {
        let quote = format!("--tpm-quote snp/{vector}/evidence.json");
        let nonce = &expected(&folder, &format!("snp/{vector}"))["checks"]["extra_data_hex"];
        let nonce = nonce.as_str().expect("a nonce");
        let ask = |more: &str| verdict(&folder, &azure(vector, &format!("{quote} {more}"))).1;
        let found = ask(&format!("--tpm-nonce {nonce}"));
        assert_eq!(found["verdict"], "genuine", "{vector}: {found}");
        let told = &found["claims"]["vtpm"];
        assert_eq!(told["nonce"], nonce);
        assert_eq!(told["pcrs"].as_object().map(serde_json::Map::len), Some(24));
        assert_eq!(ask("--tpm-nonce 00")["code"], "vtpm_nonce_mismatch");
        assert_eq!(ask("")["verdict"], "genuine", "what nobody asked is open");
    }
    let other = "--tpm-quote snp/azure-milan-v3-trustee-ev0/evidence.json";
    let found = verdict(&folder, &azure("azure-genoa-v3-trustee", other)).1;
    assert_eq!(found["code"], "vtpm_quote_signature");
}

#[test]
fn a_quote_comes_as_a_tpm_tools_files_too() {
    let Some(folder) = real(&[]) else { return };
    let vector = "azure-milan-v3-trustee-ev1";
    let text = fs::read(folder.join(format!("snp/{vector}/evidence.json"))).expect("evidence");
    let evidence: Value = serde_json::from_slice(&text).expect("JSON");
    let quote = &evidence["tpm_quote"];
    let bytes = |value: &Value| hex::decode(value.as_str().expect("hex")).expect("hex");
    let pcrs = quote["pcrs"].as_array().expect("PCRs");
    let pcrs: Vec<u8> = pcrs.iter().flat_map(bytes).collect();
    let keep = TempDir::new().expect("a folder");
    let keep = keep.path();
    fs::write(keep.join("quote.msg"), bytes(&quote["message"])).expect("a file");
    fs::write(keep.join("quote.sig"), bytes(&quote["signature"])).expect("a file");
    fs::write(keep.join("quote.pcrs"), hex::encode(&pcrs)).expect("a file");
    let at = keep.display();
    let quote = format!("--tpm-quote {at}/quote.msg --tpm-signature {at}/quote.sig");
    let whole = format!("{quote} --tpm-pcrs {at}/quote.pcrs");
    let ask = |more: &str| verdict(&folder, &azure(vector, more)).1;
    assert_eq!(ask(&whole)["verdict"], "genuine");
    assert_eq!(ask(&quote)["code"], "vtpm_pcrs_missing");
    assert_eq!(
        ask(&format!("{quote} --without pcrs"))["verdict"],
        "genuine"
    );
    fs::write(keep.join("quote.pcrs"), &pcrs[32..]).expect("a file");
    assert_eq!(ask(&whole)["code"], "vtpm_pcr_count");
    fs::write(keep.join("quote.pcrs"), &pcrs[1..]).expect("a file");
    no_verdict(&folder, &azure(vector, &whole), "32 bytes each");
}

#[test]
fn a_policy_names_the_pcrs_that_are_wanted() {
    let Some(folder) = real(&[]) else { return };
    let vector = "azure-milan-v3-trustee-ev1";
    let fields = expected(&folder, &format!("snp/{vector}"));
    let digest = &fields["fields"]["measurement"];
    let keep = TempDir::new().expect("a folder");
    let policy = keep.path().join("policy.toml");
    let quote = format!("--tpm-quote snp/{vector}/evidence.json");
    let ask = |pcr: &str, more: &str| {
        let text = format!(
            "version = 1\n[snp]\nlaunch_digest = [{digest}]\nminimum_tcb = {{ unchecked = \"a test\" }}\n\
             broken.milan = {{ unchecked = \"a test\" }}\npcrs = {{ 0 = [\"{pcr}\"] }}\n[configuration]\nsha256 = {{ unchecked = \"any\" }}\n"
        );
        fs::write(&policy, text).expect("a policy");
        let more = format!("--policy {} {more}", policy.display());
        verdict(&folder, &azure(vector, &more)).1
    };
    let found = verdict(&folder, &azure(vector, &quote)).1;
    let pcr = found["claims"]["vtpm"]["pcrs"]["0"]
        .as_str()
        .expect("PCR 0");
    let asked = format!("{quote} --tpm-nonce {}", hex::encode("challenge"));
    assert_eq!(
        ask(pcr, &asked)["verdict"],
        "trusted",
        "{}",
        ask(pcr, &asked)
    );
    assert_eq!(ask(pcr, &quote)["code"], "freshness_unchecked");
    assert_eq!(ask(&"00".repeat(32), &asked)["code"], "vtpm_pcr_unknown");
    assert_eq!(ask(pcr, "")["code"], "vtpm_pcr_unquoted");
}

#[test]
fn a_quote_in_the_wrong_place_is_named() {
    let Some(folder) = real(&[]) else { return };
    let json = "snp/azure-milan-v3-trustee-ev1/evidence.json";
    let quote = format!("--tpm-quote {json}");
    let why = "a quote goes with Azure's HCL report";
    no_verdict(&folder, &snp("milan-v3-ms", &quote), why);
    let report = format!("snp --report {json} --cert snp/milan-v3-ms/vcek.der");
    no_verdict(
        &folder,
        &report,
        "is a TPM's quote in JSON, not an SEV-SNP report",
    );
    let vector = "azure-milan-v3-trustee-ev1";
    let swapped = azure(vector, "--tpm-quote snp/milan-v3-ms/vcek.der");
    no_verdict(&folder, &swapped, "is a certificate, not a vTPM's quote");
    let both = azure(vector, &format!("{quote} --tpm-signature {json}"));
    no_verdict(&folder, &both, "leave --tpm-signature");
    no_verdict(&folder, &azure(vector, "--tpm-nonce 00"), "--tpm-quote");
}

/// A current TD, and when its collateral was.
const CURRENT: [&str; 3] = [
    "azure-tdx-cdai-live",
    "90c06f-2026-03",
    "2026-04-01T00:00:00Z",
];
/// A TD on a platform that is out of date.
const OUTDATED: [&str; 3] = [
    "azure-tdx-trustee-v1",
    "00806f05-2025-06",
    "2025-06-20T00:00:00Z",
];

/// The quote of a TD on Azure.
fn td([vector, collateral, at]: [&str; 3], more: &str) -> String {
    format!(
        "tdx --quote tdx/quotes/{vector}/quote.bin --quote-collateral tdx/collateral/{collateral}/collateral.json --at {at} {more}"
    )
}

/// All that came with it.
fn whole(of: [&str; 3], more: &str) -> String {
    let folder = format!("tdx/quotes/{}", of[0]);
    let files =
        format!("--hcl-report {folder}/hcl-report.bin --tpm-quote {folder}/evidence.json {more}");
    td(of, &files)
}

fn asked(folder: &Path, of: [&str; 3]) -> String {
    let checks = &expected(folder, &format!("tdx/quotes/{}", of[0]))["checks"];
    let nonce = checks["extra_data_hex"].as_str().expect("a nonce");
    format!("--tpm-nonce {nonce}")
}

#[test]
fn a_td_on_azure_is_genuine_with_the_quote_of_its_virtual_tpm() {
    let Some(folder) = real(&[]) else { return };
    let nonce = asked(&folder, CURRENT);
    let ask = |more: &str| verdict(&folder, &whole(CURRENT, more)).1;
    let found = ask(&nonce);
    assert_eq!(found["verdict"], "genuine", "{found}");
    let told = &found["claims"]["vtpm"];
    assert_eq!(
        format!("--tpm-nonce {}", told["nonce"].as_str().expect("hex")),
        nonce
    );
    assert_eq!(told["pcrs"].as_object().map(serde_json::Map::len), Some(24));
    assert_eq!(ask("--tpm-nonce 00")["code"], "vtpm_nonce_mismatch");
    assert_eq!(ask("")["verdict"], "genuine", "what nobody asked is open");

    let swap = |from: &str, to: &str| verdict(&folder, &whole(CURRENT, &nonce).replace(from, to)).1;
    let (hcl, other) = ("cdai-live/hcl-report.bin", "trustee-v1/hcl-report.bin");
    assert_eq!(swap(hcl, other)["code"], "hcl_quote_mismatch");
    let (json, other) = ("cdai-live/evidence.json", "trustee-v1/evidence.json");
    assert_eq!(swap(json, other)["code"], "vtpm_quote_signature");
    let snp = "snp/azure-genoa-v3-trustee/hcl-report.bin";
    let hcl = format!("tdx/quotes/{}/hcl-report.bin", CURRENT[0]);
    assert_eq!(swap(&hcl, snp)["code"], "hcl_malformed");
}

#[test]
fn an_outdated_td_on_azure_is_told_all_that_is_wrong_with_it() {
    let Some(folder) = real(&[]) else { return };
    let more = format!("{} --explain-only", asked(&folder, OUTDATED));
    let found = verdict(&folder, &whole(OUTDATED, &more)).1;
    assert_eq!(codes(&found), ["tcb_status_refused", "td_sept_ve"]);
    assert!(found["claims"]["vtpm"]["pcrs"].is_object(), "{found}");
}

#[test]
fn trust_in_a_td_on_azure_needs_its_pcrs_and_an_answer_where_a_policy_wants_them() {
    let Some(folder) = real(&[]) else { return };
    let keep = TempDir::new().expect("a folder");
    let file = keep.path().join("policy.toml");
    let trust = |of: [&str; 3], lines: &str, pcr: &str| {
        let fields = &expected(&folder, &format!("tdx/quotes/{}", of[0]))["fields"];
        let register = |field: &Value| format!("[{field}]");
        let text = format!(
            "version = 1\n[tdx]\nmrtd = {}\nrtmr0 = {}\nrtmr1 = {}\nrtmr2 = {}\nrtmr3 = {}\nmrconfigid = {}\n\
             minimum_evaluation = 17\nevent_log = {{ unchecked = \"none was kept\" }}\npcrs = {{ 4 = [\"{pcr}\"] }}\n{lines}",
            register(&fields["mrtd"]),
            register(&fields["rtmr"][0]),
            register(&fields["rtmr"][1]),
            register(&fields["rtmr"][2]),
            register(&fields["rtmr"][3]),
            register(&fields["mrcfgid"]),
        );
        fs::write(&file, text).expect("a policy");
    };
    let policy = format!("--policy {}", file.display());
    for (of, lines) in [
        (CURRENT, ""),
        (
            OUTDATED,
            "statuses = [\"OutOfDate\"]\nsept_ve_disable = { unchecked = \"a paravisor stands between\" }\n",
        ),
    ] {
        let nonce = asked(&folder, of);
        let found = verdict(&folder, &whole(of, &format!("{nonce} --explain-only"))).1;
        let pcr = &found["claims"]["vtpm"]["pcrs"]["4"];
        let pcr = pcr.as_str().expect("PCR 4");
        let ask = |arguments: &str| verdict(&folder, arguments).1;
        trust(of, lines, pcr);
        let found = ask(&whole(of, &format!("{policy} {nonce}")));
        assert_eq!(found["verdict"], "trusted", "{found}");
        let unasked = ask(&whole(of, &policy));
        assert_eq!(unasked["code"], "freshness_unchecked");
        let bare = ask(&td(of, &format!("{policy} --without freshness")));
        assert_eq!(bare["code"], "vtpm_pcr_unquoted");
        trust(of, lines, &"00".repeat(32));
        let other = ask(&whole(of, &format!("{policy} {nonce}")));
        assert_eq!(other["code"], "vtpm_pcr_unknown");
    }
}

#[test]
fn what_azure_wraps_around_a_td_in_the_wrong_place_is_named() {
    let Some(folder) = real(&[]) else { return };
    let json = format!("tdx/quotes/{}/evidence.json", CURRENT[0]);
    let alone = td(CURRENT, &format!("--tpm-quote {json}"));
    no_verdict(&folder, &alone, "its quote goes with --hcl-report");
    let swapped = td(CURRENT, &format!("--hcl-report {json}"));
    let why = "is a TPM's quote in JSON, not an Azure HCL report of a TDX guest";
    no_verdict(&folder, &swapped, why);
    no_verdict(&folder, &td(CURRENT, "--tpm-nonce 00"), "--tpm-quote");
}

#[test]
fn damaged_bytes_of_a_td_on_azure_end_in_a_refusal_or_an_error() {
    let Some(folder) = real(&[]) else { return };
    let wrapped = format!("--hcl-report tdx/quotes/{}/hcl-report.bin", CURRENT[0]);
    assert_no_damage_passes(&folder, &td(CURRENT, &wrapped));
}
