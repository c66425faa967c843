//! The digest decides: what a mirror gets wrong is named, and nothing of it stays.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod workbench;

use std::fs;

use chrysalis_image::{Error, digest::Sha256};
use workbench::Workbench;

/// The first that a build fetches.
const FIRMWARE: &str = "archive/pool/main/firmware.deb";
const KERNEL: &str = "archive/pool/main/kernel.deb";

#[test]
fn keeps_inputs_by_digest_and_needs_the_mirror_once() {
    let bench = Workbench::new();
    bench.build().unwrap();
    assert_eq!(bench.cached(), 2);
    fs::remove_dir_all(bench.path("archive")).unwrap();
    bench.build().unwrap();
}

#[test]
fn refuses_a_truncated_download() {
    let bench = Workbench::new();
    let bytes = fs::read(bench.path(FIRMWARE)).unwrap();
    bench.write(FIRMWARE, &bytes[..bytes.len() / 2]);
    let error = bench.build().unwrap_err();
    assert!(
        matches!(error, Error::Truncated { expected, got, .. } if expected == bytes.len() as u64 && got == expected / 2)
    );
    assert_eq!(bench.cached(), 0);
    assert!(!bench.path("out").exists());
}

#[test]
fn refuses_other_bytes_and_names_both_digests() {
    let bench = Workbench::new();
    let mut bytes = fs::read(bench.path(FIRMWARE)).unwrap();
    let pinned = Sha256::of(&bytes);
    *bytes.last_mut().unwrap() ^= 1;
    bench.write(FIRMWARE, &bytes);
    let error = bench.build().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&pinned.to_string()) && text.contains(&Sha256::of(&bytes).to_string()),
        "{text}"
    );
    assert!(matches!(error, Error::WrongHash { expected, .. } if expected == pinned));
    assert_eq!(bench.cached(), 0);
}

#[test]
fn goes_on_to_the_next_mirror() {
    let bench = Workbench::new();
    let mut fetcher = bench.fetcher();
    fetcher
        .mirrors
        .insert(0, format!("file://{}", bench.path("nowhere").display()));
    let kernel = bench
        .lock
        .input
        .iter()
        .find(|input| input.name == "kernel")
        .unwrap();
    let path = fetcher.fetch(kernel).unwrap();
    assert_eq!(Sha256::of(&fs::read(path).unwrap()), kernel.sha256);
}

#[test]
fn finds_a_security_update_where_a_point_release_brought_it() {
    let bench = Workbench::new();
    let mut kernel = bench
        .lock
        .input
        .iter()
        .find(|input| input.name == "kernel")
        .unwrap()
        .clone();
    kernel.suite = Some("trixie-security".into());
    kernel.path = kernel.path.replace("pool/", "pool/updates/");
    let path = bench.fetcher().fetch(&kernel).unwrap();
    assert_eq!(Sha256::of(&fs::read(path).unwrap()), kernel.sha256);
    fs::remove_file(bench.path(KERNEL)).unwrap();
    fs::remove_dir_all(bench.path("cache")).unwrap();
    let text = bench.fetcher().fetch(&kernel).unwrap_err().to_string();
    for part in ["pool/updates/main/kernel.deb", "pool/main/kernel.deb"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn names_an_input_that_no_mirror_has_and_what_to_do() {
    let bench = Workbench::new();
    fs::remove_file(bench.path(KERNEL)).unwrap();
    let error = bench.build().unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, Error::Missing { name, version, .. } if name == "kernel" && version == "1-1")
    );
    for part in ["pool/main/kernel.deb", "make lock", "--mirror"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn fetches_again_what_went_bad_in_the_cache() {
    let bench = Workbench::new();
    bench.build().unwrap();
    for entry in fs::read_dir(bench.path("cache/inputs")).unwrap() {
        fs::write(entry.unwrap().path(), b"rot").unwrap();
    }
    bench.build().unwrap();
}
