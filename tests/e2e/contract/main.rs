//! The command line's contract on evidence in files, checked by the built program on the real evidence in tests/vectors/real:
//! exit codes, the JSON's shape, and files that were swapped.

mod azure;
mod bundle;
mod cases;
mod files;
mod guide;
mod nvidia;
mod simulated;
mod simulated_gpu;
mod snp;
mod tdx;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use chrysalis_tests::paths;
use chrysalis_tests::schema::{faults, schema};
use serde_json::Value;
use tempfile::TempDir;

const SEPTEMBER_2026: &str = "2026-09-01T00:00:00Z";
/// Evidence of Milan machines is among the vectors; most of what is tested with it is something else.
const BROKEN: &str = "--accept-broken milan";
const JUNE_2025: &str = "2025-06-11T00:00:00Z";
const MARCH_2026: &str = "2026-03-01T00:00:00Z";
const H100: &str = "nvidia/h100-550.90.07";
const H100_NONCE: &str = "931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb";
const DRIVER_RIM: &str = "rim/NV_GPU_DRIVER_GH100_550.90.07.swidtag";
const VBIOS_RIM: &str = "rim/NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag";

/// AMD's lists, which are not shipped.
const LISTS: [&str; 3] = [
    "snp/crls/milan_2026-08.crl.der",
    "snp/crls/genoa_2026-08.crl.der",
    "snp/crls/turin_2026-08.crl.der",
];
/// The manifests of the H100, which are not shipped either.
const RIMS: [&str; 2] = [
    "nvidia/h100-550.90.07/rim/NV_GPU_DRIVER_GH100_550.90.07.swidtag",
    "nvidia/h100-550.90.07/rim/NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag",
];

/// Runs `chrysalis verify` among the vectors; words are split at spaces.
fn verify(folder: &Path, arguments: &str) -> Output {
    Command::new(paths::tool("chrysalis"))
        .current_dir(folder)
        .arg("verify")
        .args(arguments.split_whitespace())
        .output()
        .expect("the program is built: cargo build -p chrysalis")
}

/// The exit code and the JSON, which fits the one schema.
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
    assert_eq!(faults(schema(), &verdict, ""), [""; 0], "{verdict}");
    assert_ne!(verdict["checks"], Value::Array(Vec::new()));
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

/// What is wrong, in order.
fn codes(found: &Value) -> Vec<&str> {
    let failures = found["failures"].as_array().expect("failures");
    let codes = failures.iter().map(|failure| failure["code"].as_str());
    codes.map(|code| code.expect("a code")).collect()
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

/// Bytes that nobody meant: a file's own, cut, overwritten or blown up, differently for each `seed`.
fn damaged(original: &[u8], seed: usize) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let at = seed.wrapping_mul(2_654_435_761) % bytes.len().max(1);
    match seed % 4 {
        0 => bytes.truncate(at),
        // Not the bit that only makes a letter of hex another case.
        1 => bytes[at] ^= 1 << (seed % 5),
        2 => bytes[at..].fill(0xFF),
        _ => bytes.splice(at..at, vec![b'9'; 100_000]).for_each(drop),
    }
    bytes
}

/// Damages each file of a command that passes otherwise, again and again.
fn assert_no_damage_passes(folder: &Path, command: &str) {
    let keep = TempDir::new().expect("a folder");
    let file = keep.path().join("damaged");
    let words: Vec<_> = command.split_whitespace().collect();
    for word in words.iter().filter(|word| folder.join(word).is_file()) {
        let original = fs::read(folder.join(word)).expect("a vector");
        for seed in 0..12 {
            fs::write(&file, damaged(&original, seed)).expect("a file");
            let name = file.display().to_string();
            let output = verify(folder, &command.replace(word, &name));
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
