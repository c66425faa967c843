//! `chrysalis measure` as a person meets it: exit codes, what stands on stdout, and what a mistake is answered with.
//!
//! Measures a built image (`CHRYSALIS_IMAGE`, by default build/cpu); says so and passes without.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Exit code, stdout, stderr.
fn measure(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_chrysalis"))
        .arg("measure")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A folder that can be compared, and measured by nobody.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "kernel",
        "initrd",
        "firmware.fd",
        "cmdline",
        "cmdline-simulated",
    ] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    folder
}

fn built() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build/cpu");
    let folder = std::env::var_os("CHRYSALIS_IMAGE").map_or_else(default, PathBuf::from);
    if folder.join("firmware-tdx.fd").exists() {
        return Some(folder);
    }
    chrysalis_test_support::skip("no image with TDX firmware: make image");
    None
}

#[test]
fn compares_two_folders_and_exits_accordingly() {
    let (one, other) = (folder(), folder());
    let (one, path) = (one.path().to_str().unwrap(), other.path());
    let arguments = [one, "--compare", path.to_str().unwrap()];
    let (code, printed, _) = measure(&arguments);
    assert_eq!(
        (code, printed.as_str()),
        (0, "the same: every platform measures both alike\n")
    );
    fs::write(path.join("cmdline"), "cmdline evil").unwrap();
    let (code, printed, _) = measure(&arguments);
    assert_eq!(
        (code, printed.as_str()),
        (1, "cmdline: word 2 is \"evil\", expected nothing\n")
    );
}

#[test]
fn an_option_of_the_other_platform_is_refused_by_name() {
    let folder = folder();
    let folder = folder.path().to_str().unwrap();
    for (arguments, answer) in [
        (
            &["--platform", "tdx", "--vcpus", "2"][..],
            "--vcpus belongs to --platform snp; leave it out",
        ),
        (
            &["--platform", "snp", "--vcpus", "2", "--memory", "2048"],
            "--memory belongs to --platform tdx; leave it out",
        ),
        (
            &["--compare", folder, "--cpu", "Milan"],
            "--cpu belongs to --platform snp or tdx; leave it out",
        ),
    ] {
        let (code, printed, said) = measure(&[&[folder], arguments].concat());
        assert_eq!((code, printed.as_str()), (2, ""));
        assert!(said.contains(answer), "{said}");
    }
}

#[test]
fn what_is_missing_is_asked_for() {
    let folder = folder();
    let folder = folder.path().to_str().unwrap();
    for (arguments, missing) in [
        (&[][..], "--platform"),
        (&["--platform", "snp"], "--vcpus"),
        (
            &["--platform", "snp", "--vcpus", "2", "--id-key", "key.pem"],
            "--author-key",
        ),
        (&["--platform", "tdx"], "`chrysalis-image build` makes one"),
    ] {
        let (code, printed, said) = measure(&[&[folder], arguments].concat());
        assert_eq!((code, printed.as_str()), (2, ""));
        assert!(said.contains(missing), "{said}");
    }
}

#[test]
fn prints_the_registers_of_an_image_for_people_and_for_programs() {
    let Some(image) = built() else { return };
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("configuration.toml");
    fs::write(&configuration, "abc").unwrap();
    let arguments = [
        image.to_str().unwrap(),
        "--platform",
        "tdx",
        "--memory",
        "2048",
        "--configuration",
        configuration.to_str().unwrap(),
    ];
    let (code, text, _) = measure(&arguments);
    let (_, json, _) = measure(&[&arguments[..], &["--format", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, 0);
    assert!(text.starts_with(&format!("mrtd        {}\n", json["mrtd"].as_str().unwrap())));
    // FIPS 180: SHA-384 of "abc".
    let abc = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7";
    assert!(text.contains(&format!("mrconfigid  {abc}\n")), "{text}");
    assert_eq!(json["mrconfigid"], abc);
    assert!(text.contains("\nrtmr0       varies\n"), "{text}");
    assert!(json["rtmr"][0].is_null());
    for rtmr in [1, 2] {
        let value = json["rtmr"][rtmr].as_str().unwrap();
        assert!(
            text.contains(&format!("\nrtmr{rtmr}       {value}\n")),
            "{text}"
        );
    }
    let varies: Vec<_> = json["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event.get("varies").is_some())
        .map(|event| event["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        varies,
        [
            "ACPI table loader",
            "ACPI root pointer",
            "ACPI tables",
            "SMBIOS tables"
        ]
    );
}

#[test]
fn writes_an_id_block_as_qemu_takes_it() {
    let Some(image) = built() else { return };
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    // The private number 1.
    let text = "-----BEGIN EC PRIVATE KEY-----\n\
        MD4CAQEEMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
        AAAAAAAAAaAHBgUrgQQAIg==\n-----END EC PRIVATE KEY-----\n";
    fs::write(&key, text).unwrap();
    let (key, out) = (key.to_str().unwrap(), folder.path().join("out"));
    let machine = [image.to_str().unwrap(), "--platform", "snp", "--vcpus", "2"];
    let signing = [
        "--id-key",
        key,
        "--author-key",
        key,
        "--out",
        out.to_str().unwrap(),
    ];
    let (_, digest, _) = measure(&machine);
    let (code, printed, said) = measure(&[&machine[..], &signing].concat());
    assert_eq!(code, 0, "{said}");
    let digest = digest.trim();
    assert!(
        printed.starts_with(&format!("launch_digest      {digest}\n")),
        "{printed}"
    );
    let decoded = |name: &str| {
        let text = fs::read(out.join(name)).unwrap();
        data_encoding::BASE64.decode(&text).unwrap()
    };
    assert_eq!(hex::encode(&decoded("id-block")[..48]), digest);
    assert_eq!(decoded("id-auth").len(), 4096);
}

/// A TCG2 log, as the CCEL table holds it, of these registers and digests.
fn event_log(events: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut log = vec![0; 32];
    log[4] = 3;
    let mut specification = b"Spec ID Event03\0".to_vec();
    specification.extend([0; 8]);
    specification.extend([1, 0, 0, 0, 0x0C, 0, 48, 0, 0]);
    log[28] = u8::try_from(specification.len()).unwrap();
    log.extend(specification);
    for (rtmr, digest) in events {
        // The log counts MRTD as register 0.
        log.extend([rtmr + 1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0x0C, 0]);
        log.extend(digest);
        log.extend([0; 4]);
    }
    log
}

#[test]
fn holds_an_event_log_against_the_image() {
    let Some(image) = built() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ccel");
    let machine = [
        image.to_str().unwrap(),
        "--platform",
        "tdx",
        "--memory",
        "2048",
    ];
    let (_, json, _) = measure(&[&machine[..], &["--format", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut events: Vec<(u8, Vec<u8>)> = json["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            // What varies may be anything.
            let digest = event["digest"]
                .as_str()
                .map_or(vec![7; 48], |text| hex::decode(text).unwrap());
            (
                u8::try_from(event["rtmr"].as_u64().unwrap()).unwrap(),
                digest,
            )
        })
        .collect();
    let compare = |events: &[(u8, Vec<u8>)]| {
        fs::write(&path, event_log(events)).unwrap();
        let (code, printed, _) =
            measure(&[&machine[..], &["--event-log", path.to_str().unwrap()]].concat());
        (code, printed)
    };
    assert_eq!(
        compare(&events),
        (0, "the same: the log tells of this image\n".to_owned())
    );
    let initrd = events.len() - 1;
    events[initrd].1[0] ^= 1;
    assert_eq!(
        compare(&events),
        (
            1,
            "RTMR2, event 1: found \"EV_SEPARATOR\", expected initrd\n".to_owned()
        )
    );
    fs::write(&path, "no log").unwrap();
    let (code, _, said) =
        measure(&[&machine[..], &["--event-log", path.to_str().unwrap()]].concat());
    assert_eq!(code, 2);
    assert!(said.contains("the event log is malformed"), "{said}");
}
