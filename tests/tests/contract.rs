//! The command line's contract on evidence in files, held by the built program against real evidence in `../shared/vectors`:
//! exit codes, the JSON's shape, and files that were swapped.
//!
//! The vectors are not part of the project: without them these tests say so and pass.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use chrysalis_tests::paths;
use serde_json::Value;
use tempfile::TempDir;

const SEPTEMBER_2026: &str = "2026-09-01T00:00:00Z";
const JUNE_2025: &str = "2025-06-11T00:00:00Z";
const MARCH_2026: &str = "2026-03-01T00:00:00Z";
const H100: &str = "nvidia/h100-550.90.07";
const H100_NONCE: &str = "931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb";
const DRIVER_RIM: &str = "rim/NV_GPU_DRIVER_GH100_550.90.07.swidtag";
const VBIOS_RIM: &str = "rim/NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag";

/// The vectors, or nothing if they are not on this machine.
fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no vectors");
    None
}

/// Runs `chrysalis verify` among the vectors; words are split at spaces.
fn verify(folder: &Path, arguments: &str) -> Output {
    Command::new(paths::tool("chrysalis"))
        .current_dir(folder)
        .arg("verify")
        .args(arguments.split_whitespace())
        .output()
        .expect("the program is built: cargo build -p chrysalis")
}

/// The exit code and the JSON, whose shape is held against the contract.
#[track_caller]
fn verdict(folder: &Path, arguments: &str) -> (i32, Value) {
    let output = verify(folder, &format!("{arguments} --format json"));
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    let verdict: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{talk}"));
    let code = output.status.code().expect("no signal");
    let word = verdict["verdict"].as_str().expect("a verdict");
    assert_eq!(
        code == 0,
        matches!(word, "genuine" | "trusted"),
        "{verdict}"
    );
    assert_eq!(code == 1, word == "rejected", "{verdict}");
    assert_eq!(code == 1, verdict["code"].is_string(), "{verdict}");
    let checks = verdict["checks"].as_array().expect("checks");
    assert!(!checks.is_empty());
    for check in checks {
        for key in ["step", "name", "outcome", "detail"] {
            assert!(check[key].is_string(), "{key}: {check}");
        }
    }
    (code, verdict)
}

/// That nothing could be said, and why.
#[track_caller]
fn no_verdict(folder: &Path, arguments: &str, why: &str) {
    let output = verify(folder, arguments);
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{talk}");
    assert!(output.stdout.is_empty(), "stdout is for verdicts");
    assert!(talk.contains(why), "{talk}");
}

fn expected(folder: &Path, vector: &str) -> Value {
    let path = folder.join(vector).join("expected.json");
    serde_json::from_slice(&fs::read(path).expect("expected.json")).expect("JSON")
}

/// A report with the certificate beside it.
fn snp(vector: &str, more: &str) -> String {
    format!("snp --report snp/{vector}/report.bin --cert snp/{vector}/vcek.der {more}")
}

fn h100(more: &str) -> String {
    format!(
        "nvidia --report {H100}/report.bin --chain {H100}/chain.pem --nonce {H100_NONCE} --at {MARCH_2026} {more}"
    )
}

fn h100_with_rims(more: &str) -> String {
    h100(&format!(
        "--rim {H100}/{DRIVER_RIM} --rim {H100}/{VBIOS_RIM} {more}"
    ))
}

#[test]
fn real_reports_of_three_lines_are_genuine() {
    let Some(folder) = vectors() else { return };
    for (vector, line) in [
        ("milan-v3-ms", "milan"),
        ("genoa-v3-ms", "genoa"),
        ("turin-v5-ms", "turin"),
    ] {
        let list = format!("--crl snp/crls/{line}_2026-08.crl.der --at {SEPTEMBER_2026}");
        let (code, found) = verdict(&folder, &snp(vector, &list));
        assert_eq!(
            (code, &found["verdict"]),
            (0, &"genuine".into()),
            "{vector}"
        );
        let fields = &expected(&folder, &format!("snp/{vector}"))["fields"];
        let claims = &found["claims"];
        assert_eq!(claims["measurement"], fields["measurement"], "{vector}");
        assert_eq!(claims["report_data"], fields["report_data"], "{vector}");
        assert_eq!(claims["host_data"], fields["host_data"], "{vector}");
        assert_eq!(claims["version"], fields["version"], "{vector}");
        assert_eq!(claims["tcb"], fields["reported_tcb_le"], "{vector}");
        assert_eq!(claims["chip_id"], fields["chip_id"], "{vector}");
        assert_eq!(claims["product"], line, "{vector}");
        assert_eq!(claims["status"], "not_revoked", "{vector}");
    }
}

#[test]
fn a_report_comes_as_hex_text_in_azures_wrapping_or_beside_a_certificate_table() {
    let Some(folder) = vectors() else { return };
    let at = format!("--without crl --at {SEPTEMBER_2026}");
    for arguments in [
        format!(
            "snp --report snp/milan-v2-virtee/report_milan.hex --cert snp/milan-v2-virtee/vcek.der {at}"
        ),
        format!(
            "snp --report snp/genoa-v3-tsm-veraison/report.bin --cert snp/genoa-v3-tsm-veraison/auxblob.bin {at}"
        ),
        format!(
            "snp --report snp/azure-genoa-v3-trustee/hcl-report.bin --cert snp/azure-genoa-v3-trustee/vcek.der {at}"
        ),
        format!(
            "snp --report snp/azure-milan-v3-cdai-live/hcl-report.bin --cert snp/azure-milan-v3-cdai-live/vcek.der {at}"
        ),
        format!(
            "snp --report snp/genoa-v3-azure-hcl-openpcc/hcl-report.bin --cert snp/genoa-v3-azure-hcl-openpcc/vcek.der {at}"
        ),
    ] {
        let (_, found) = verdict(&folder, &arguments);
        assert_eq!(found["verdict"], "genuine", "{arguments}: {found}");
        let checks = found["checks"].as_array().expect("checks");
        let open = checks
            .iter()
            .find(|check| check["outcome"] == "not_checked" && check["step"] == "policy-2");
        assert_eq!(open.expect("listed")["detail"], "--without crl");
        let wrapped = arguments.contains("hcl-report");
        let told = checks.iter().find(|check| check["step"] == "hcl-3");
        assert_eq!(told.is_some(), wrapped, "no quote of a vTPM is listed");
    }
}

#[test]
fn a_report_without_a_revocation_list_is_refused_unless_a_flag_says_otherwise() {
    let Some(folder) = vectors() else { return };
    let (code, found) = verdict(
        &folder,
        &snp("genoa-v3-ms", &format!("--at {SEPTEMBER_2026}")),
    );
    assert_eq!((code, &found["code"]), (1, &"revocation_unchecked".into()));
    let stale = "--crl snp/crls/genoa_2024-10.crl.der --without crl";
    let (code, found) = verdict(
        &folder,
        &snp("genoa-v3-ms", &format!("{stale} --at {SEPTEMBER_2026}")),
    );
    assert_eq!(
        (code, &found["code"]),
        (1, &"crl_expired".into()),
        "a list that is there counts"
    );
}

#[test]
fn a_report_that_the_host_may_debug_is_refused_and_all_failures_are_told() {
    let Some(folder) = vectors() else { return };
    let list = format!("--crl snp/crls/milan_2026-08.crl.der --at {SEPTEMBER_2026}");
    let (code, found) = verdict(&folder, &snp("milan-v2-debug", &list));
    assert_eq!((code, &found["code"]), (1, &"debug_allowed".into()));
    assert_eq!(
        found["claims"]["debug"], true,
        "what it says is known: it is signed"
    );
    let explain = format!("--explain-only --at {SEPTEMBER_2026}");
    let (_, found) = verdict(&folder, &snp("milan-v2-debug", &explain));
    let codes: Vec<_> = found["failures"]
        .as_array()
        .expect("failures")
        .iter()
        .map(|failure| failure["code"].clone())
        .collect();
    assert_eq!(codes, ["revocation_unchecked", "debug_allowed"]);
}

#[test]
fn a_providers_key_verifies_in_its_time() {
    let Some(folder) = vectors() else { return };
    let vlek =
        "snp --report snp/milan-v3-vlek-aws/report.bin --cert snp/milan-v3-vlek-aws/vlek.der";
    let list = "--crl snp/crls/milan_2025-05.crl.der";
    let (_, found) = verdict(&folder, &format!("{vlek} {list} --at {JUNE_2025}"));
    assert_eq!(found["verdict"], "genuine");
    let list = "--crl snp/crls/milan_2026-08.crl.der";
    let (_, found) = verdict(&folder, &format!("{vlek} {list} --at {SEPTEMBER_2026}"));
    assert_eq!(found["code"], "certificate_expired");
}

/// Azure's report of a vector.
fn azure(vector: &str, more: &str) -> String {
    format!(
        "snp --report snp/{vector}/hcl-report.bin --cert snp/{vector}/vcek.der --without crl --at {SEPTEMBER_2026} {more}"
    )
}

#[test]
fn the_quote_of_azures_virtual_tpm_is_genuine_and_tells_its_pcrs() {
    let Some(folder) = vectors() else { return };
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
        let found = ask(&format!("--nonce {nonce}"));
        assert_eq!(found["verdict"], "genuine", "{vector}: {found}");
        let told = &found["claims"]["vtpm"];
        assert_eq!(told["nonce"], nonce);
        assert_eq!(told["pcrs"].as_object().map(serde_json::Map::len), Some(24));
        assert_eq!(ask("--nonce 00")["code"], "vtpm_nonce_mismatch");
        assert_eq!(ask("")["verdict"], "genuine", "what nobody asked is open");
    }
    let other = "--tpm-quote snp/azure-milan-v3-trustee-ev0/evidence.json";
    let found = verdict(&folder, &azure("azure-genoa-v3-trustee", other)).1;
    assert_eq!(found["code"], "vtpm_quote_signature");
}

#[test]
fn a_quote_comes_as_a_tpm_tools_files_too() {
    let Some(folder) = vectors() else { return };
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
    let Some(folder) = vectors() else { return };
    let vector = "azure-milan-v3-trustee-ev1";
    let fields = expected(&folder, &format!("snp/{vector}"));
    let digest = &fields["fields"]["measurement"];
    let keep = TempDir::new().expect("a folder");
    let policy = keep.path().join("policy.toml");
    let quote = format!("--tpm-quote snp/{vector}/evidence.json");
    let ask = |pcr: &str, more: &str| {
        let text = format!(
            "version = 1\n[snp]\nlaunch_digest = [{digest}]\nminimum_tcb = {{ unchecked = \"a test\" }}\n\
             pcrs = {{ 0 = [\"{pcr}\"] }}\n[configuration]\nsha256 = {{ unchecked = \"any\" }}\n"
        );
        fs::write(&policy, text).expect("a policy");
        let more = format!("--policy {} {more}", policy.display());
        verdict(&folder, &azure(vector, &more)).1
    };
    let found = verdict(&folder, &azure(vector, &quote)).1;
    let pcr = found["claims"]["vtpm"]["pcrs"]["0"]
        .as_str()
        .expect("PCR 0");
    let asked = format!("{quote} --nonce {}", hex::encode("challenge"));
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
    let Some(folder) = vectors() else { return };
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
    no_verdict(&folder, &azure(vector, "--nonce 00"), "--tpm-quote");
}

#[test]
fn the_certificate_of_another_chip_is_refused() {
    let Some(folder) = vectors() else { return };
    let wrong = "snp --report snp/azure-hclv1-wrong-vcek/hcl-report.bin --cert snp/azure-hclv1-wrong-vcek/vcek-of-other-chip.der";
    let list = format!("--crl snp/crls/milan_2026-08.crl.der --at {SEPTEMBER_2026}");
    let (code, found) = verdict(&folder, &format!("{wrong} {list}"));
    assert_eq!((code, &found["code"]), (1, &"report_signature".into()));
    assert_eq!(found["claims"], Value::Null, "nothing of it is known");
    let (_, found) = verdict(&folder, &format!("{wrong} {list} --explain-only"));
    let failures = found["failures"].as_array().expect("failures");
    assert_eq!(failures[1]["code"], "chip_mismatch");
    assert_eq!(failures.len(), 2);
}

#[test]
fn malformed_reports_are_refused_by_name() {
    let Some(folder) = vectors() else { return };
    for file in [
        "too-long-1185.bin",
        "truncated-793.bin",
        "snp_report_msg_resp.bin",
    ] {
        let arguments =
            format!("snp --report snp/malformed-lit/{file} --cert snp/milan-v3-ms/vcek.der");
        let (code, found) = verdict(&folder, &arguments);
        assert_eq!(
            (code, &found["code"]),
            (1, &"report_length".into()),
            "{file}"
        );
    }
}

#[test]
fn trust_needs_a_policy_that_says_what_is_wanted() {
    let Some(folder) = vectors() else { return };
    let keep = TempDir::new().expect("a folder");
    let policy = keep.path().join("policy.toml");
    let write = |digest: &str| {
        let text = format!(
            "version = 1\n[snp]\nlaunch_digest = [\"{digest}\"]\n\
             minimum_tcb = {{ bootloader = 10, tee = 0, snp = 23, microcode = 84 }}\n\
             [configuration]\nsha256 = {{ unchecked = \"any\" }}\n"
        );
        fs::write(&policy, text).expect("a policy");
    };
    let ask = |more: &str| {
        let list = "--crl snp/crls/genoa_2026-08.crl.der";
        let policy = policy.display();
        let arguments = snp(
            "genoa-v3-ms",
            &format!("{list} --at {SEPTEMBER_2026} --policy {policy} {more}"),
        );
        verdict(&folder, &arguments).1
    };
    let fields = &expected(&folder, "snp/genoa-v3-ms")["fields"];
    write(fields["measurement"].as_str().expect("a digest"));
    assert_eq!(ask("--report-data 00")["verdict"], "trusted");
    assert_eq!(ask("--report-data 01")["code"], "pin_unknown");
    assert_eq!(ask("")["code"], "freshness_unchecked");
    assert_eq!(ask("--without freshness")["verdict"], "trusted");
    write(&"00".repeat(48));
    assert_eq!(ask("--report-data 00")["code"], "launch_digest_unknown");
    fs::write(&policy, "version = 1\n[configurations]\n").expect("a policy");
    let typo = format!("--policy {}", policy.display());
    no_verdict(
        &folder,
        &snp("genoa-v3-ms", &typo),
        "did you mean `configuration`?",
    );
}

#[test]
fn a_real_gpu_with_both_manifests_is_genuine() {
    let Some(folder) = vectors() else { return };
    let (code, found) = verdict(&folder, &h100_with_rims("--without ocsp"));
    assert_eq!((code, &found["verdict"]), (0, &"genuine".into()));
    let claims = &found["claims"];
    assert_eq!(claims["nonce"], H100_NONCE);
    assert_eq!(claims["driver"], "550.90.07");
    assert_eq!(claims["vbios"], "96.00.9F.00.01");
    assert_eq!(claims["status"], "not_checked");
    assert_eq!(claims["gpus"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_gpu_without_answers_or_manifests_is_refused_unless_a_flag_says_otherwise() {
    let Some(folder) = vectors() else { return };
    let code = |arguments: &str| verdict(&folder, arguments).1["code"].clone();
    assert_eq!(code(&h100_with_rims("")), "ocsp_missing");
    assert_eq!(code(&h100("--without ocsp")), "rim_missing");
    assert_eq!(code(&h100("--without ocsp --without rim")), Value::Null);
    let other = h100_with_rims("--without ocsp").replace(H100_NONCE, &"00".repeat(32));
    assert_eq!(code(&other), "gpu_nonce_mismatch");
}

#[test]
fn a_gpu_report_that_no_certified_key_signed_is_refused() {
    let Some(folder) = vectors() else { return };
    let vector = "nvidia/h100-560.00-badsig";
    let nonce = expected(&folder, vector)["fields"]["nonce"].clone();
    let nonce = nonce.as_str().expect("a nonce");
    let arguments = format!(
        "nvidia --report {vector}/report.bin --chain {vector}/chain.pem --nonce {nonce} --without ocsp --without rim --at {MARCH_2026}"
    );
    let (code, found) = verdict(&folder, &arguments);
    assert_eq!((code, &found["code"]), (1, &"gpu_report_signature".into()));
    let (_, found) = verdict(&folder, &format!("{arguments} --explain-only"));
    let failures = found["failures"].as_array().expect("failures");
    assert_eq!(failures[1]["code"], "gpu_fwid_mismatch");
}

#[test]
fn the_json_of_nvidias_sdk_brings_all_gpus_and_their_chains() {
    let Some(folder) = vectors() else { return };
    let vector = "nvidia/h100-590.12-multi4";
    let nonce = expected(&folder, vector)["fields"]["per_gpu"][0]["nonce"].clone();
    let nonce = nonce.as_str().expect("a nonce");
    let arguments = format!(
        "nvidia --report {vector}/multi_gpu_hopper.json --nonce {nonce} --without ocsp --without rim --at {MARCH_2026}"
    );
    let (_, found) = verdict(&folder, &arguments);
    assert_eq!(found["verdict"], "genuine");
    assert_eq!(found["claims"]["gpus"].as_array().map(Vec::len), Some(4));
    let both = format!("{arguments} --chain {H100}/chain.pem");
    no_verdict(&folder, &both, "leave --chain out");
}

#[test]
fn a_gpu_policy_decides_trust() {
    let Some(folder) = vectors() else { return };
    let keep = TempDir::new().expect("a folder");
    let policy = keep.path().join("policy.toml");
    let ask = |floor: &str| {
        let text = format!("version = 1\n[gpu]\ncount = [1]\nminimum_driver = \"{floor}\"\n");
        fs::write(&policy, text).expect("a policy");
        let more = format!("--without ocsp --policy {}", policy.display());
        verdict(&folder, &h100_with_rims(&more)).1
    };
    assert_eq!(ask("550.90.07")["verdict"], "trusted");
    assert_eq!(ask("570.1")["code"], "gpu_driver_below_floor");
}

#[test]
fn swapped_files_are_named() {
    let Some(folder) = vectors() else { return };
    let quote = "tdx/quotes/v4-phala/quote.bin";
    let vcek = "snp/milan-v3-ms/vcek.der";
    for (file, kind) in [
        (quote, "a TDX quote"),
        ("tdx/quotes/v3-sgx-phala/quote.bin", "an SGX quote"),
        ("nvidia/h100-550.90.07/report.bin", "a GPU report"),
        ("nvidia/h100-550.90.07/report.hex.txt", "a GPU report"),
        (
            "nvidia/h100-590.12-multi4/multi_gpu_hopper.json",
            "GPU evidence in JSON",
        ),
        (vcek, "a certificate"),
        ("snp/crls/milan_2026-08.crl.der", "a revocation list"),
        ("nvidia/h100-550.90.07/chain.pem", "a certificate"),
    ] {
        let arguments = format!("snp --report {file} --cert {vcek}");
        no_verdict(
            &folder,
            &arguments,
            &format!("{file} is {kind}, not an SEV-SNP report"),
        );
    }
    let report = "snp/milan-v3-ms/report.bin";
    for (file, kind) in [
        (quote, "a TDX quote"),
        (report, "an SEV-SNP report"),
        (vcek, "a certificate"),
    ] {
        let arguments =
            format!("nvidia --report {file} --chain {H100}/chain.pem --nonce {H100_NONCE}");
        no_verdict(
            &folder,
            &arguments,
            &format!("{file} is {kind}, not a GPU report"),
        );
    }
    let swapped = format!("snp --report {report} --cert {report}");
    no_verdict(
        &folder,
        &swapped,
        "is an SEV-SNP report, not a VCEK or VLEK certificate",
    );
    no_verdict(
        &folder,
        &snp("milan-v3-ms", &format!("--crl {vcek}")),
        "is a certificate, not a revocation list",
    );
    let rim = h100(&format!("--rim {H100}/chain.pem"));
    no_verdict(&folder, &rim, "is a certificate, not a RIM");
}

#[test]
fn a_command_line_that_asks_nothing_has_no_verdict() {
    let Some(folder) = vectors() else { return };
    no_verdict(
        &folder,
        "snp --report nothing.bin --cert nothing.der",
        "cannot read nothing.bin",
    );
    no_verdict(&folder, "snp --report nothing.bin", "--cert");
    no_verdict(&folder, &h100("--nonce 00"), "--nonce");
    let chainless = format!("nvidia --report {H100}/report.bin --nonce {H100_NONCE}");
    no_verdict(&folder, &chainless, "give them with --chain");
    no_verdict(&folder, "bundle nothing.cbor", "cannot read nothing.cbor");
    no_verdict(
        &folder,
        "snp --report /dev/zero --cert /dev/zero",
        "has more than 1048576 bytes",
    );
}

/// Bytes that nobody meant: a file's own, cut, overwritten or blown up, differently for each `seed`.
fn damaged(original: &[u8], seed: usize) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let at = seed.wrapping_mul(2_654_435_761) % bytes.len().max(1);
    match seed % 4 {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << (seed % 8),
        2 => bytes[at..].fill(0xFF),
        _ => bytes.splice(at..at, vec![b'9'; 100_000]).for_each(drop),
    }
    bytes
}

#[test]
fn damaged_bytes_in_any_file_end_in_a_refusal_or_an_error() {
    let Some(folder) = vectors() else { return };
    let keep = TempDir::new().expect("a folder");
    let file = keep.path().join("damaged");
    let commands = [
        snp(
            "genoa-v3-ms",
            &format!("--crl snp/crls/genoa_2026-08.crl.der --at {SEPTEMBER_2026}"),
        ),
        format!(
            "snp --report snp/azure-genoa-v3-trustee/hcl-report.bin --cert snp/genoa-v3-tsm-veraison/auxblob.bin --without crl --at {SEPTEMBER_2026}"
        ),
        h100_with_rims("--without ocsp"),
        format!(
            "nvidia --report nvidia/h100-590.12-single/hopper_evidence.json --nonce {H100_NONCE}"
        ),
    ];
    for command in commands {
        let words: Vec<_> = command.split_whitespace().collect();
        for word in words.iter().filter(|word| folder.join(word).is_file()) {
            let original = fs::read(folder.join(word)).expect("a vector");
            for seed in 0..12 {
                fs::write(&file, damaged(&original, seed)).expect("a file");
                let name = file.display().to_string();
                let output = verify(&folder, &command.replace(word, &name));
                let talk = String::from_utf8_lossy(&output.stderr);
                let code = output.status.code();
                assert!(
                    matches!(code, Some(1 | 2)),
                    "{word}, {seed}: {code:?} {talk}"
                );
                assert!(!talk.contains("panicked"), "{word}, {seed}: {talk}");
            }
        }
    }
}

/// Where the guide's short names are.
const SHELVES: [&str; 3] = ["snp/", "nvidia/", "tdx/quotes/"];

#[test]
fn the_guide_shows_what_the_program_prints() {
    let Some(folder) = vectors() else { return };
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/verify.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let (_, section) = guide.split_once("Evidence in files").expect("the section");
    let consoles = section.split("```console\n").skip(1);
    let consoles = consoles
        .filter_map(|text| text.split_once("\n```"))
        .map(|(it, _)| it);
    let mut shown = 0;
    for console in consoles {
        for entry in console.split("$ chrysalis verify ").skip(1) {
            let (command, printed) = entry.split_once('\n').unwrap_or((entry, ""));
            let words = command.split(' ').map(|word| {
                let at = SHELVES.iter().map(|shelf| format!("{shelf}{word}"));
                at.into_iter()
                    .find(|path| folder.join(path).is_file())
                    .unwrap_or_else(|| word.to_owned())
            });
            let output = verify(&folder, &words.collect::<Vec<_>>().join(" "));
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8(told)
                .expect("text")
                .replace("tdx/quotes/", "");
            assert_eq!(told.trim_end(), printed.trim_end(), "{command}");
            shown += 1;
        }
    }
    assert_eq!(shown, 8, "commands in the guide");
}
