//! The questions of tests/vectors, asked as a page asks them, but compiled for this machine: the verdict that each expects.
//! tests/browser asks the module itself, and compares every byte with what the command line prints.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrysalis_attestation::Time;
use chrysalis_browser::{Asked, limit, recognised};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Those that nobody asks a page: a publisher's folders.
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
            let added = match limit(name) {
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
    assert!(said(Asked::default(), "sgx").starts_with("there is no question `sgx`"));
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
    asked.file("report", &[]).unwrap();
    assert!(said(asked, "snp").contains("this may go without crl, freshness, pcrs"));
}

#[test]
fn what_is_too_much_is_refused_before_it_is_kept() {
    let mut asked = Asked::default();
    let long = vec![0; limit("report").unwrap() + 1];
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
    assert!(asked.word("nonce", &"0".repeat(5000)).is_err());
}

#[test]
fn files_are_told_apart_by_how_they_begin() {
    let kind = |bytes: &[u8]| {
        let found: Value = serde_json::from_str(&recognised(bytes)).unwrap();
        (found["kind"].clone(), found["name"].clone())
    };
    let common = vectors().join("common");
    let read = |name: &str| fs::read(common.join(name)).unwrap();
    for (bytes, wanted_kind, name) in [
        (read("snp/vcek.der"), Value::Null, "cert"),
        (read("snp/crl.der"), Value::Null, "crl"),
        (read("snp/policy.toml"), Value::Null, "policy"),
        (b"\xA4\x64spki\x41".to_vec(), "bundle".into(), "bundle"),
        (b"\xA4\x63job\x41".to_vec(), "receipt".into(), "receipt"),
        (b"\x11\xE0".to_vec(), "nvidia".into(), "report"),
    ] {
        assert_eq!(kind(&bytes), (wanted_kind, name.into()), "{name}");
    }
    assert_eq!(kind(b"hello"), (Value::Null, Value::Null));
}
