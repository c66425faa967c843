//! `verify nvidia` on reports of real GPUs.

use std::fs;

use chrysalis_test_support::real;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    H100, H100_NONCE, MARCH_2026, RIMS, expected, h100, h100_with_rims, no_verdict, verdict,
};

#[test]
fn a_real_gpu_with_both_manifests_is_genuine() {
    let Some(folder) = real(&RIMS) else { return };
    let (code, found) = verdict(&folder, &h100_with_rims("--without ocsp"));
    assert_eq!((code, &found["verdict"]), (0, &"genuine".into()));
    let gpus = &found["claims"]["gpus"];
    assert_eq!(gpus[0]["nonce"], H100_NONCE);
    assert_eq!(gpus[0]["driver"], "550.90.07");
    assert_eq!(gpus[0]["vbios"], "96.00.9F.00.01");
    assert_eq!(gpus.as_array().map(Vec::len), Some(1));
}

#[test]
fn a_gpu_without_answers_or_manifests_is_refused_unless_a_flag_says_otherwise() {
    let Some(folder) = real(&RIMS) else { return };
    let code = |arguments: &str| verdict(&folder, arguments).1["code"].clone();
    assert_eq!(code(&h100_with_rims("")), "ocsp_missing");
    assert_eq!(code(&h100("--without ocsp")), "rim_missing");
    assert_eq!(code(&h100("--without ocsp --without rim")), Value::Null);
    let other = h100_with_rims("--without ocsp").replace(H100_NONCE, &"00".repeat(32));
    assert_eq!(code(&other), "gpu_nonce_mismatch");
}

#[test]
fn a_gpu_report_that_no_certified_key_signed_is_refused() {
    let Some(folder) = real(&[]) else { return };
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
    let Some(folder) = real(&[]) else { return };
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
    let Some(folder) = real(&RIMS) else { return };
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
