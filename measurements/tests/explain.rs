//! The first thing in which two images, or an image and an event log, differ, is named.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use chrysalis_measure::{
    Difference, EventDigest, FoundEvent, Image, TdxEvent, explain_events, explain_images,
};
use std::fs;
use tempfile::TempDir;

/// A newc archive of these files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files.iter().copied().chain([("TRAILER!!!", &b""[..])]) {
        let mut fields = [0; 13];
        fields[1] = 0o100_644;
        fields[6] = content.len();
        fields[11] = name.len() + 1;
        let fields = fields.map(|field| format!("{field:08x}")).concat();
        archive.extend(format!("070701{fields}{name}\0").bytes());
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(content);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let initrd = archive(&[
        ("init", b"the enclave"),
        ("modules/00-a.ko", b"a"),
        ("worker", b"w"),
    ]);
    let files: [(&str, &[u8]); 6] = [
        ("kernel", b"a kernel"),
        ("initrd", &initrd),
        ("firmware.fd", &[0x90; 3 * 4096]),
        ("firmware-tdx.fd", &[0x90; 3 * 4096]),
        ("cmdline", b"console=ttyS0 quiet --"),
        (
            "cmdline-simulated",
            b"console=ttyS0 quiet -- platform=simulated",
        ),
    ];
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// What is said when one file of the second image holds something else.
fn said(file: &str, content: &[u8]) -> String {
    let (expected, found) = (folder(), folder());
    fs::write(found.path().join(file), content).unwrap();
    let difference = explain_images(
        &Image::open(expected.path()).unwrap(),
        &Image::open(found.path()).unwrap(),
    );
    difference.unwrap().unwrap().to_string()
}

#[test]
fn images_of_the_same_bytes_differ_in_nothing() {
    let (expected, found) = (folder(), folder());
    let (expected, found) = (
        Image::open(expected.path()).unwrap(),
        Image::open(found.path()).unwrap(),
    );
    assert_eq!(explain_images(&expected, &found).unwrap(), None);
}

#[test]
fn names_the_page_of_a_firmware() {
    let mut firmware = vec![0x90; 3 * 4096];
    firmware[4097] = 0;
    assert_eq!(
        said("firmware.fd", &firmware),
        "firmware.fd: page 1 (offset 0x1000) differs"
    );
    firmware[4097] = 0x90;
    firmware.truncate(2 * 4096);
    assert_eq!(
        said("firmware-tdx.fd", &firmware),
        "firmware-tdx.fd: page 2 (offset 0x2000) differs"
    );
}

#[test]
fn names_the_word_of_a_command_line() {
    assert_eq!(
        said("cmdline", b"console=ttyS0 debug --"),
        "cmdline: word 2 is \"debug\", expected \"quiet\""
    );
    assert_eq!(
        said("cmdline", b"console=ttyS0 quiet -- evil"),
        "cmdline: word 4 is \"evil\", expected nothing"
    );
    assert_eq!(
        said("cmdline-simulated", b"console=ttyS0 quiet --"),
        "cmdline-simulated: word 4 is nothing, expected \"platform=simulated\""
    );
}

#[test]
fn names_the_byte_of_a_kernel() {
    assert_eq!(said("kernel", b"a Kernel"), "kernel: byte 2 differs");
    assert_eq!(
        said("kernel", b"a kernel, longer"),
        "kernel: byte 8 differs"
    );
}

#[test]
fn names_the_file_in_an_initrd() {
    let other = archive(&[
        ("init", b"the enclave"),
        ("modules/00-a.ko", b"b"),
        ("worker", b"w"),
    ]);
    assert_eq!(
        said("initrd", &other),
        "initrd: \"modules/00-a.ko\" differs"
    );
    let more = archive(&[
        ("init", b"the enclave"),
        ("door", b""),
        ("modules/00-a.ko", b"a"),
        ("worker", b"w"),
    ]);
    assert_eq!(
        said("initrd", &more),
        "initrd: found \"door\", expected \"modules/00-a.ko\""
    );
    let fewer = archive(&[("init", b"the enclave"), ("modules/00-a.ko", b"a")]);
    assert_eq!(
        said("initrd", &fewer),
        "initrd: found nothing, expected \"worker\""
    );
}

#[test]
fn an_initrd_that_is_no_archive_differs_in_a_byte_or_an_entry() {
    let sound = archive(&[
        ("init", b"the enclave"),
        ("modules/00-a.ko", b"a"),
        ("worker", b"w"),
    ]);
    let mut padded = sound.clone();
    padded.extend(b"after the end");
    assert_eq!(
        said("initrd", &padded),
        format!("initrd: byte {} differs", sound.len())
    );
    assert_eq!(
        said("initrd", b"no archive"),
        "initrd: found nothing, expected \"init\""
    );
    // Any byte of the headers, and any end: something is said, and nothing panics.
    for end in 0..sound.len() {
        assert!(said("initrd", &sound[..end]).starts_with("initrd: "));
    }
    for position in 0..120 {
        let mut damaged = sound.clone();
        damaged[position] ^= 0x0F;
        assert!(said("initrd", &damaged).starts_with("initrd: "));
    }
}

#[test]
fn a_file_that_only_one_has_is_named() {
    let (expected, found) = (folder(), folder());
    fs::remove_file(found.path().join("firmware-tdx.fd")).unwrap();
    let (expected, found) = (
        Image::open(expected.path()).unwrap(),
        Image::open(found.path()).unwrap(),
    );
    let said = |left, right| explain_images(left, right).unwrap().unwrap().to_string();
    assert_eq!(said(&expected, &found), "firmware-tdx.fd is missing");
    assert_eq!(said(&found, &expected), "firmware-tdx.fd was not expected");
}

fn expected() -> Vec<TdxEvent> {
    let event = |rtmr, name, digest| TdxEvent { rtmr, name, digest };
    vec![
        event(0, "hand-off", EventDigest::Computed([1; 48])),
        event(0, "tables", EventDigest::Varies("they vary")),
        event(0, "order", EventDigest::Computed([2; 48])),
        event(1, "kernel", EventDigest::Computed([3; 48])),
    ]
}

fn log(digests: &[(u8, u8)]) -> Vec<FoundEvent> {
    let event = |&(rtmr, byte)| FoundEvent {
        rtmr,
        name: format!("event {byte}"),
        digest: [byte; 48],
    };
    digests.iter().map(event).collect()
}

#[test]
fn a_log_of_the_same_boot_differs_in_nothing() {
    // Registers may be extended in any order among themselves; 3 is the guest's.
    let same = log(&[(0, 1), (1, 3), (0, 99), (3, 7), (0, 2)]);
    assert_eq!(explain_events(&expected(), &same), None);
}

#[test]
fn names_the_first_event_that_is_another_missing_or_too_many() {
    let said = |digests: &[(u8, u8)]| {
        let difference: Option<Difference> = explain_events(&expected(), &log(digests));
        difference.unwrap().to_string()
    };
    assert_eq!(
        said(&[(0, 1), (0, 99), (0, 5), (1, 3)]),
        "RTMR0, event 2: found \"event 5\", expected order"
    );
    assert_eq!(
        said(&[(0, 1), (1, 3)]),
        "RTMR0, event 1: found nothing, expected tables"
    );
    assert_eq!(
        said(&[(0, 1), (0, 99), (0, 2)]),
        "RTMR1, event 0: found nothing, expected kernel"
    );
    assert_eq!(
        said(&[(0, 1), (0, 99), (0, 2), (0, 6), (1, 3)]),
        "RTMR0, event 3: found \"event 6\", expected nothing"
    );
    assert_eq!(
        said(&[(0, 1), (0, 99), (0, 2), (1, 3), (2, 8)]),
        "RTMR2, event 0: found \"event 8\", expected nothing"
    );
}
