//! Evidence as other tools and services write it: every form is taken, or refused with its name and what to hand over,
//! and `show` sends no file to a command that refuses it.
//!
//! The files are in tests/vectors/real/cases.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chrysalis_test_support::real;
use chrysalis_tests::paths;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    DRIVER_RIM, H100, H100_NONCE, MARCH_2026, RIMS, VBIOS_RIM, codes, h100, no_verdict, verdict,
};

const JULY_2025: &str = "2025-07-01T00:00:00Z";
const APRIL_2026: &str = "2026-04-01T00:00:00Z";

/// The vectors and the cases among them.
fn cases(needs: &[&str]) -> Option<(PathBuf, PathBuf)> {
    let vectors = real(needs)?;
    let cases = vectors.join("cases");
    Some((vectors, cases))
}

fn gpu(files: &str, nonce: &str) -> String {
    format!("nvidia {files} --nonce {nonce} --without ocsp --without rim --at {MARCH_2026}")
}

fn nonce(file: &Path) -> String {
    fs::read_to_string(file).expect("a nonce").trim().to_owned()
}

#[track_caller]
fn is_genuine(folder: &Path, arguments: &str) -> Value {
    // The SNP cases are of a Milan, which is genuine and broken.
    let accepted = match arguments.strip_prefix("snp ") {
        Some(rest) => format!("snp --accept-broken milan {rest}"),
        None => arguments.to_owned(),
    };
    let (code, found) = verdict(folder, &accepted);
    assert_eq!(
        (code, &found["verdict"]),
        (0, &"genuine".into()),
        "{arguments}: {found}"
    );
    found["claims"].clone()
}

#[test]
fn nuls_behind_a_chain_are_read_and_nuls_within_are_not() {
    let Some((folder, cases)) = cases(&[]) else {
        return;
    };
    let chain = |name: &str| {
        let chain = cases.join("gpu-chain-nul").join(name);
        gpu(
            &format!("--report {H100}/report.bin --chain {}", chain.display()),
            H100_NONCE,
        )
    };
    is_genuine(&folder, &chain("chain-nul1.pem"));
    is_genuine(&folder, &chain("chain-nul5.pem"));
    let (code, found) = verdict(&folder, &chain("chain-nul-between.must-fail.pem"));
    assert_eq!(
        (code, &found["code"]),
        (1, &"gpu_evidence_malformed".into())
    );
}

#[test]
fn every_json_form_of_gpu_evidence_is_taken() {
    let Some((folder, cases)) = cases(&[]) else {
        return;
    };
    let forms = cases.join("gpu-json-forms");
    for name in [
        "sdk-list-nul",
        "service-request",
        "evidences-object",
        "nvidia-cmw",
    ] {
        let special = forms.join(format!("{name}.nonce.txt"));
        let nonce = if special.exists() {
            nonce(&special)
        } else {
            nonce(&forms.join("nonce.txt"))
        };
        let file = forms.join(format!("{name}.json"));
        let claims = is_genuine(
            &folder,
            &gpu(&format!("--report {}", file.display()), &nonce),
        );
        assert_eq!(claims["gpus"][0]["nonce"], nonce.as_str(), "{name}");
    }
}

#[test]
fn a_family_s_leaf_under_the_chip_s_provisioner_is_taken() {
    let Some((folder, cases)) = cases(&[]) else {
        return;
    };
    let gb202 = cases.join("gpu-gb202");
    let path = gb202.display();
    let files = format!("--report {path}/report.bin --chain {path}/chain.pem");
    let claims = is_genuine(&folder, &gpu(&files, &nonce(&gb202.join("nonce.txt"))));
    assert_eq!(claims["gpus"][0]["driver"], "595.58.03");
}

#[test]
fn base64_is_read_where_bytes_are() {
    let Some((folder, cases)) = cases(&[]) else {
        return;
    };
    let path = cases.join("base64");
    let path = path.display();
    let plain = is_genuine(
        &folder,
        "snp --report snp/milan-v3-ms/report.bin --cert snp/milan-v3-ms/vcek.der --without crl --at 2026-03-01T00:00:00Z",
    );
    let encoded = is_genuine(
        &folder,
        &format!(
            "snp --report {path}/snp-report.b64 --cert snp/milan-v3-ms/vcek.der --without crl --at {MARCH_2026}"
        ),
    );
    assert_eq!(plain, encoded);
    is_genuine(
        &folder,
        &format!(
            "tdx --quote {path}/quote.b64 --quote-collateral tdx/collateral/00806f05-2025-06/collateral.json --at 2025-06-20T00:00:00Z"
        ),
    );
}

#[test]
fn every_file_of_evidence_may_be_base64() {
    let Some((folder, _)) = cases(&RIMS) else {
        return;
    };
    let keep = TempDir::new().expect("a folder");
    let encoded = |path: &str| {
        let output = Command::new("base64")
            .arg(folder.join(path))
            .output()
            .expect("base64");
        let copy = keep.path().join(path.replace('/', "_"));
        fs::write(&copy, output.stdout).expect("a copy");
        copy.display().to_string()
    };
    let rims = [DRIVER_RIM, VBIOS_RIM].map(|rim| encoded(&format!("{H100}/{rim}")));
    is_genuine(
        &folder,
        &format!(
            "nvidia --report {} --chain {} --rim {} --rim {} --nonce {H100_NONCE} --without ocsp --at {MARCH_2026}",
            encoded(&format!("{H100}/report.bin")),
            encoded(&format!("{H100}/chain.pem")),
            rims[0],
            rims[1],
        ),
    );
    is_genuine(
        &folder,
        &format!(
            "snp --report {} --cert {} --without crl --at {MARCH_2026}",
            encoded("snp/milan-v3-ms/report.bin"),
            encoded("snp/milan-v3-ms/vcek.der"),
        ),
    );
    is_genuine(
        &folder,
        &format!(
            "tdx --quote {} --quote-collateral {} --at {JULY_2025}",
            encoded("tdx/quotes/v4-phala/quote.bin"),
            encoded("tdx/collateral/b0c06f-2025-06/collateral.json"),
        ),
    );
}

#[test]
fn answers_of_services_are_taken_whole() {
    let Some((folder, cases)) =
        cases(&[RIMS.as_slice(), &["cases/rim-answer/answer.json"]].concat())
    else {
        return;
    };
    let path = cases.display();
    is_genuine(
        &folder,
        &format!(
            "snp --report snp/milan-v3-ms/report.bin --cert {path}/azure-thim/thim.json --without crl --at {MARCH_2026}"
        ),
    );
    let rims =
        format!("--without ocsp --rim {path}/rim-answer/answer.json --rim {H100}/{VBIOS_RIM}");
    is_genuine(&folder, &h100(&rims));
    is_genuine(
        &folder,
        &format!(
            "tdx --quote tdx/quotes/v4-phala/quote.bin --quote-collateral {path}/collateral-extra-fields/collateral.json --at {JULY_2025}"
        ),
    );
}

#[test]
fn collateral_that_misses_a_field_says_which() {
    let Some((folder, _)) = cases(&[]) else {
        return;
    };
    let keep = TempDir::new().expect("a folder");
    let original = folder.join("tdx/collateral/b0c06f-2025-06/collateral.json");
    let original: Value =
        serde_json::from_slice(&fs::read(original).expect("collateral")).expect("JSON");
    for field in original.as_object().expect("an object").keys() {
        let mut less = original.clone();
        less.as_object_mut().expect("an object").remove(field);
        let file = keep.path().join("collateral.json");
        fs::write(&file, less.to_string()).expect("a file");
        let (code, found) = verdict(
            &folder,
            &format!(
                "tdx --quote tdx/quotes/v4-phala/quote.bin --quote-collateral {} --at {JULY_2025}",
                file.display()
            ),
        );
        assert_eq!(code, 1, "{field}");
        let reason = found["detail"].as_str().expect("a reason");
        assert!(reason.contains(field.as_str()), "{field}: {reason}");
    }
}

/// Quotes whose chain text has something else between the lines, or behind them. They are not shipped.
const PCK_CHAIN_TEXT: [&str; 2] = [
    "cases/pck-chain-text/quote-two-nuls.bin",
    "cases/pck-chain-text/quote-crlf.bin",
];

#[test]
fn a_pck_chain_may_end_in_nuls_and_have_lines_of_windows() {
    let Some(folder) = real(&PCK_CHAIN_TEXT) else {
        return;
    };
    for quote in PCK_CHAIN_TEXT {
        is_genuine(
            &folder,
            &format!(
                "tdx --quote {quote} --quote-collateral tdx/collateral/90c06f-2026-03/collateral.json --at {APRIL_2026}"
            ),
        );
    }
}

#[test]
fn an_extended_td_is_read_and_judged() {
    let Some((folder, cases)) = cases(&[]) else {
        return;
    };
    let quote = cases.join("v5-body-type-4/quote.bin");
    let (_, found) = verdict(
        &folder,
        &format!(
            "tdx --quote {} --quote-collateral tdx/collateral/90c06f-2026-03/collateral.json --at {APRIL_2026} --explain-only",
            quote.display()
        ),
    );
    // It was put together from a real quote, so that all holds but its signature.
    assert_eq!(codes(&found), ["quote_signature"], "{found}");
}

/// Among the words of `show`, the commands that it sends to: `chrysalis verify snp --report`.
fn promised(folder: &Path, file: &str) -> Option<(String, String)> {
    let output = Command::new(paths::tool("chrysalis"))
        .current_dir(folder)
        .args(["show", file])
        .output()
        .expect("the program is built: cargo build -p chrysalis");
    let talk = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let promise = talk.split("`chrysalis verify ").nth(1)?;
    let mut words = promise.split('`').next()?.split_whitespace();
    let proof = words.next()?.to_owned();
    if !["snp", "tdx", "nvidia"].contains(&proof.as_str()) {
        return None;
    }
    let option = words.next().unwrap_or_else(|| panic!("no option: {talk}"));
    Some((proof, option.to_owned()))
}

#[test]
fn show_sends_no_file_to_a_command_that_cannot_read_it() {
    let Some((folder, cases)) = cases(&[]) else {
        return;
    };
    let mut count = 0;
    for kind in fs::read_dir(&cases).expect("cases") {
        let kind = kind.expect("a folder").path();
        if !kind.is_dir() {
            continue;
        }
        for file in fs::read_dir(kind).expect("files") {
            let file = file.expect("a file").path();
            let file = file.display().to_string();
            let Some((proof, option)) = promised(&folder, &file) else {
                continue;
            };
            count += 1;
            let arguments = match (proof.as_str(), option.as_str()) {
                ("nvidia", "--chain") => gpu(
                    &format!("--report {H100}/report.bin --chain {file}"),
                    H100_NONCE,
                ),
                ("nvidia", "--rim") => h100(&format!("--rim {file}")),
                ("nvidia", _)
                    if Path::new(&file)
                        .extension()
                        .is_some_and(|kind| kind == "json") =>
                {
                    gpu(&format!("{option} {file}"), H100_NONCE)
                }
                ("nvidia", _) => gpu(
                    &format!("{option} {file} --chain {H100}/chain.pem"),
                    H100_NONCE,
                ),
                ("snp", "--cert") => {
                    format!("snp --report snp/milan-v3-ms/report.bin --cert {file}")
                }
                ("snp", _) => format!("snp {option} {file} --cert snp/milan-v3-ms/vcek.der"),
                (_, "--quote-collateral") => {
                    format!("tdx --quote tdx/quotes/v4-phala/quote.bin --quote-collateral {file}")
                }
                _ => format!(
                    "{proof} {option} {file} --quote-collateral tdx/collateral/b0c06f-2025-06/collateral.json"
                ),
            };
            let output = super::verify(&folder, &format!("{arguments} --format json"));
            let talk = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_ne!(output.status.code(), Some(2), "{file}: {arguments}: {talk}");
            let found = String::from_utf8_lossy(&output.stdout).into_owned();
            if !file.contains("must-fail") {
                assert!(
                    !found.contains("_malformed"),
                    "{file}: {arguments}: {found}"
                );
            }
        }
    }
    assert!(count > 8, "`show` knew {count} of the cases");
}

#[test]
fn a_form_that_is_not_taken_is_named_with_what_to_hand_over() {
    let Some((folder, _)) = cases(&[]) else {
        return;
    };
    let keep = TempDir::new().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = keep.path().join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let rim = write(
        "rim.json",
        r#"{"id":"NV_GPU_DRIVER_X","rim_format":"TEXT"}"#,
    );
    no_verdict(
        &folder,
        &h100(&format!("--without ocsp --rim {rim}")),
        "rim",
    );
    let thim = write(
        "thim.json",
        r#"{"vcekCert":7,"certificateChain":"","tcbm":"00"}"#,
    );
    no_verdict(
        &folder,
        &format!("snp --report snp/milan-v3-ms/report.bin --cert {thim}"),
        "vcekCert",
    );
}
