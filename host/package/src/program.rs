//! A program to pack, and what it needs of a system: read from its bytes, so that a package says no less than it has to.

use std::{fs, path::Path};

use anyhow::{Context, anyhow, bail};

/// How the versions of the C library's symbols begin.
const VERSION: &[u8] = b"GLIBC_2.";

/// A program.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// The second number of the newest C library version that it needs; none if it is static.
    pub(crate) glibc: Option<u32>,
}

impl Program {
    /// Reads a program for x86-64.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let bytes = fs::read(path).map_err(|error| {
            anyhow!("cannot read {shown}: {error}\nhint: build it with `cargo build --release`, and name the file")
        })?;
        // ELF, 64 bits, little-endian; the machine is x86-64.
        if !bytes.starts_with(b"\x7fELF\x02\x01") || bytes.get(18..20) != Some(&[62, 0]) {
            bail!("{shown} is no program for x86-64 Linux\nhint: name what `cargo build` made");
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.context("a program's name is not UTF-8")?.to_owned();
        Ok(Self {
            glibc: newest(&bytes),
            name,
            bytes,
        })
    }
}

/// The newest version that is named. A number inside other text can only make it newer.
fn newest(bytes: &[u8]) -> Option<u32> {
    let at = bytes.windows(VERSION.len()).enumerate();
    let named = at.filter(|(_, window)| *window == VERSION);
    let numbers = named.filter_map(|(at, _)| {
        let rest = bytes.get(at.checked_add(VERSION.len())?..)?;
        let digits: Vec<u8> = rest
            .iter()
            .copied()
            .take_while(u8::is_ascii_digit)
            .take(3)
            .collect();
        std::str::from_utf8(&digits).ok()?.parse().ok()
    });
    numbers.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_newest_c_library_that_is_needed() {
        assert_eq!(newest(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0"), Some(34));
        assert_eq!(newest(b"GLIBC_2."), None);
        assert_eq!(newest(b"static"), None);
    }

    #[test]
    fn refuses_what_is_no_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(
            Program::read(&path)
                .unwrap_err()
                .to_string()
                .contains("hint: build it")
        );
        for wrong in [&b"#!/bin/sh"[..], b"\x7fELF\x02\x01", b""] {
            fs::write(&path, wrong).unwrap();
            let refused = Program::read(&path).unwrap_err().to_string();
            assert!(refused.contains("no program for x86-64"), "{refused}");
        }
    }
}
