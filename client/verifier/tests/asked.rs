//! The questions of tests/vectors, asked name by name: the verdict that each expects. tests/browser, client/python and client/c ask the same
//! through what they make of it, and compare every byte with what the command line prints.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrysalis_attestation::Time;
use chrysalis_verifier::Asked;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Those that nobody asks here: a publisher's folders.
const ELSEWHERE: &str = "release";

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

/// Every folder below with a request.
fn folders(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.join("request.json").exists() {
            found.push(path);
        } else if path.is_dir() {
            folders(&path, found);
        }
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The bytes of a file that a request names, or as many zeros as it says.
fn file(folder: &Path, value: &Value) -> Vec<u8> {
    match value["zeros"].as_u64() {
        Some(count) => vec![0; usize::try_from(count).unwrap()],
        None => fs::read(folder.join(value.as_str().unwrap())).unwrap(),
    }
}

/// What the request says, or why it cannot be said.
fn asked(folder: &Path, request: &Value) -> Result<Asked, String> {
    let mut asked = Asked::default();
    for (name, value) in request.as_object().unwrap() {
        if ["kind", "shows", "at"].contains(&name.as_str()) {
            continue;
        }
        let several = value.as_array();
        for value in several.map_or(std::slice::from_ref(value), Vec::as_slice) {
            let added = match Asked::limit(name) {
                Some(_) => asked.file(name, &file(folder, value)),
                None => asked.word(name, value.as_str().unwrap()),
            };
            added.map_err(|why| why.to_string())?;
        }
    }
    Ok(asked)
}

fn moment(request: &Value) -> Time {
    let at = OffsetDateTime::parse(request["at"].as_str().unwrap(), &Rfc3339).unwrap();
    Time(at.unix_timestamp())
}

#[test]
fn every_vector_is_found_as_it_expects() {
    let mut all = Vec::new();
    folders(&vectors(), &mut all);
    let (mut count, mut faults) = (0, Vec::new());
    for folder in all {
        let (request, expected) = (
            json(&folder.join("request.json")),
            json(&folder.join("expected.json")),
        );
        let kind = request["kind"].as_str().unwrap();
        if kind == ELSEWHERE {
            continue;
        }
        count += 1;
        let found = asked(&folder, &request).and_then(|asked| {
            let found = asked.verdict(kind, moment(&request));
            found.map_err(|why| why.to_string())
        });
        let name = folder.display();
        match found {
            Ok(found) => {
                let found: Value = serde_json::from_str(&found).unwrap();
                for key in ["verdict", "code"] {
                    if found[key] != expected[key] {
                        faults.push(format!(
                            "{name}: {key} {}, not {}",
                            found[key], expected[key]
                        ));
                    }
                }
            }
            // As the command line: it does not read such a file to its end.
            Err(why) if why.contains("has more than") => {}
            Err(why) => faults.push(format!("{name}: {why}")),
        }
    }
    println!("{count} vectors");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 300, "{count}");
}

#[test]
fn what_cannot_be_asked_is_said_in_a_sentence() {
    let said = |asked: Asked, kind: &str| asked.verdict(kind, Time(0)).unwrap_err().to_string();
    assert_eq!(
        said(Asked::default(), "sgx"),
        "there is no question `sgx`; there are bundle, snp, tdx, nvidia, receipt"
    );
    for (kind, wanted) in [
        ("bundle", "bundle"),
        ("snp", "report"),
        ("tdx", "collateral"),
        ("nvidia", "report"),
        ("receipt", "policy"),
    ] {
        let missing = format!("there is nothing to verify without `{wanted}`: give it");
        assert_eq!(said(Asked::default(), kind), missing, "{kind}");
    }
    let mut asked = Asked::default();
    asked.word("without", "signature").unwrap();
    asked.file("report", b"hello").unwrap();
    assert!(said(asked, "snp").contains("this may go without crl, freshness, pcrs"));
}

#[test]
fn what_would_not_be_looked_at_is_refused() {
    let said = |kind: &str, files: &[&str], words: &[(&str, &str)]| {
        let mut asked = Asked::default();
        for name in files {
            asked.file(name, b"hello").unwrap();
        }
        for (name, text) in words {
            asked.word(name, text).unwrap();
        }
        asked.verdict(kind, Time(0)).unwrap_err().to_string()
    };
    let (key, nonce) = (("spki", "00"), ("nonce", "00"));
    for (kind, files, words, why) in [
        (
            "snp",
            &["report", "chain"][..],
            &[][..],
            "a question `snp` has no `chain`",
        ),
        (
            "bundle",
            &["bundle"],
            &[("report_data", "00")],
            "a question `bundle` has no `report_data`",
        ),
        (
            "receipt",
            &["receipt", "policy"],
            &[("without", "crl")],
            "a question `receipt` has no `without`",
        ),
        (
            "tdx",
            &["quote", "collateral"],
            &[("accept_broken", "milan")],
            "a question `tdx` has no `accept_broken`",
        ),
        (
            "bundle",
            &["bundle", "certificate"],
            &[],
            "are two questions",
        ),
        ("bundle", &["bundle"], &[nonce], "`nonce` goes with `spki`"),
        (
            "bundle",
            &["bundle"],
            &[("agreement", "x25519")],
            "`agreement` goes with `spki`",
        ),
        ("bundle", &["bundle"], &[key], "give all three"),
        (
            "snp",
            &["report"],
            &[nonce],
            "`nonce` goes with `tpm_quote`",
        ),
        (
            "snp",
            &["report", "tpm_pcrs"],
            &[],
            "`tpm_pcrs` goes with `tpm_quote`",
        ),
        (
            "snp",
            &["report", "policy"],
            &[("accept_broken", "milan")],
            "`accept_broken` goes without a policy",
        ),
        (
            "snp",
            &["report"],
            &[("explain", "yes")],
            "`explain` is true or false",
        ),
        (
            "snp",
            &["report"],
            &[("accept_broken", "genoa")],
            "known to be broken: milan",
        ),
    ] {
        let found = said(kind, files, words);
        assert!(found.contains(why), "{kind} {files:?} {words:?}: {found}");
    }
}

#[test]
fn what_is_too_much_is_refused_before_it_is_kept() {
    let mut asked = Asked::default();
    let long = vec![0; Asked::limit("report").unwrap() + 1];
    assert!(asked.file("report", &long).is_err());
    assert!(asked.file("raport", &[]).is_err());
    assert!(asked.word("report", "x").is_err());
    asked.file("report", &[]).unwrap();
    assert!(asked.file("report", &[]).is_err());
    for _ in 0..16 {
        asked.file("cert", &[]).unwrap();
        asked.word("without", "crl").unwrap();
    }
    assert!(asked.file("cert", &[]).is_err());
    assert!(asked.word("without", "crl").is_err());
    asked.word("nonce", "00").unwrap();
    assert!(asked.word("nonce", "00").is_err());
    assert!(asked.word("spki", &"0".repeat(5000)).is_err());
    let body = vec![0; Asked::limit("request").unwrap()];
    asked.file("request", &body).unwrap();
    asked.file("answer", &body[..body.len() - 1]).unwrap();
    assert!(asked.file("receipt", &[0; 2]).is_err());
}
