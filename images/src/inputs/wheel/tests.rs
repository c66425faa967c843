#![expect(
    clippy::large_stack_arrays,
    reason = "files of wheels, larger than one block of a disk"
)]
use std::io::{Cursor, Write};

use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

fn places() -> Places {
    Places {
        site: "site".into(),
        prefix: "usr/local".into(),
        interpreter: "/usr/bin/python3.13".into(),
    }
}

/// A wheel of these files, with their modes.
fn wheel(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, mode, bytes) in files {
        let options = SimpleFileOptions::default().unix_permissions(*mode);
        zip.start_file(*path, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn read(bytes: &[u8]) -> Result<Vec<(String, bool, Vec<u8>)>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wheel");
    std::fs::write(&path, bytes).unwrap();
    let files = list(Cursor::new(bytes), &path, &places())?;
    let mut found = Vec::new();
    for file in files {
        let mut content = Vec::new();
        match file.content {
            Content::Changed(bytes) => content = bytes,
            Content::Zipped(zipped) => {
                let read = zipped.reader().read_to_end(&mut content);
                read.map_err(|error| error.to_string())?;
            }
        }
        found.push((file.path, file.executable, content));
    }
    Ok(found)
}

/// Replaces a text wherever it stands: in the file's own header and in the directory.
fn changed(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let found: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

#[test]
fn every_part_has_its_place() {
    let bytes = wheel(&[
        ("a/__init__.py", 0o644, b"import b"),
        ("a/lib.so", 0o755, &[7; 100_000]),
        ("a-1.dist-info/RECORD", 0o664, b"a/__init__.py,,"),
        ("a-1.data/scripts/ask", 0o644, b"#!python\nprint()"),
        ("a-1.data/scripts/window", 0o644, b"#!pythonw\nprint()"),
        ("a-1.data/scripts/ninja", 0o755, b"\x7fELF"),
        ("a-1.data/purelib/b.py", 0o644, b""),
        ("a-1.data/platlib/c.py", 0o644, b""),
        ("a-1.data/data/share/d", 0o644, b"d"),
        ("a-1.data/headers/e.h", 0o644, b"e"),
    ]);
    let found = read(&bytes).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|(path, executable, bytes)| (path.as_str(), *executable, bytes.as_slice()))
        .collect();
    let started = b"#!/usr/bin/python3.13\nprint()".as_slice();
    let wanted: [(&str, bool, &[u8]); 10] = [
        ("site/a/__init__.py", false, b"import b".as_slice()),
        ("site/a/lib.so", true, &[7; 100_000]),
        ("site/a-1.dist-info/RECORD", false, b"a/__init__.py,,"),
        ("usr/local/bin/ask", true, started),
        ("usr/local/bin/window", true, started),
        ("usr/local/bin/ninja", true, b"\x7fELF"),
        ("site/b.py", false, b""),
        ("site/c.py", false, b""),
        ("usr/local/share/d", false, b"d"),
        ("usr/local/include/e.h", false, b"e"),
    ];
    assert!(found == wanted);
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for path in [
        "../a",
        "/etc/a",
        "a/../../b",
        "a//b",
        "./a",
        "a\\..\\b",
        "a-1.data/scripts/../../b",
        "a\nb",
    ] {
        let why = read(&wheel(&[(path, 0o644, b"x")])).unwrap_err();
        assert!(why.ends_with("leads elsewhere"), "{path}: {why}");
    }
    let odd = changed(wheel(&[("ab", 0o644, b"x")]), b"ab", b"\xff\xfe");
    assert_eq!(read(&odd).unwrap_err(), "a path is not UTF-8");
    let nowhere = read(&wheel(&[("a-1.data/etc/b", 0o644, b"x")]));
    assert!(nowhere.unwrap_err().ends_with("there is no place for etc"));
}

#[test]
fn links_are_refused() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("a", "/etc/passwd", SimpleFileOptions::default())
        .unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    assert_eq!(read(&bytes).unwrap_err(), "a is a link or a device");
}

#[test]
fn what_unpacks_to_too_much_is_refused_before_it_is_unpacked() {
    let bytes = wheel(&[("a", 0o644, &[0; 70_001])]);
    let four_gib = changed(bytes.clone(), &70_001_u32.to_le_bytes(), &[0xfe; 4]);
    // Eight such files are more than one wheel may have; one says it of itself.
    let why = read(&four_gib).unwrap_err();
    assert!(why.contains("not as long as it says"), "{why}");
    let mut parts = Vec::new();
    for name in ["a", "b"] {
        parts.push((name, 0o644, [0_u8; 70_001].as_slice()));
    }
    let bomb = changed(wheel(&parts), &70_001_u32.to_le_bytes(), &[0xfe; 4]);
    let why = read(&bomb).unwrap_err();
    assert!(why.starts_with("it unpacks to more than"), "{why}");
}

#[test]
fn a_file_that_lies_about_its_length_or_its_bytes_is_refused() {
    let bytes = wheel(&[("a", 0o644, &[0; 70_001])]);
    let short = changed(bytes.clone(), &70_001_u32.to_le_bytes(), &[1, 0, 0, 0]);
    let why = read(&short).unwrap_err();
    assert!(why.contains("not as long as it says"), "{why}");
    let other = wheel(&[("a", 0o644, b"stored as it is, but for one byte")]);
    let mut damaged = other.clone();
    damaged[31 + 3] ^= 1;
    assert!(read(&damaged).is_err());
}

#[test]
fn two_files_of_one_name_are_refused() {
    let bytes = wheel(&[("aa", 0o644, b"1"), ("ab", 0o644, b"2")]);
    let twice = changed(bytes, b"ab", b"aa");
    assert_eq!(read(&twice).unwrap_err(), "two of its files have one name");
    assert!(read(b"no archive").is_err());
}
