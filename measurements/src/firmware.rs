//! Checks a firmware before it is measured: whether it checks the kernel against its hashes, and whether its tables are sound. The
//! library that measures it assumes both, and an auditor may be given any file.
//!
//! Layout: the table at the file's end (`footer.rs`) points to the metadata that lists which pages SNP measures, and how
//! (`OvmfPkg/ResetVector` and `OvmfPkg/AmdSev` in EDK II).

use crate::{
    MeasureError,
    footer::{self, MAX_SIZE, PAGE, u32_at},
};
use std::path::Path;

/// Signature, size, version and number of the items that follow.
const METADATA_HEADER: usize = 16;
/// Address, size and type of a section.
const METADATA_ITEM: usize = 12;
/// Header and three entries of a SHA-256 each, padded.
const HASHES_TABLE: usize = 176;

const SECTION_HASHES: u32 = 0x10;
/// Memory, secrets, CPUID, SVSM's calling area, kernel hashes.
const SECTIONS: [u32; 5] = [1, 2, 3, 4, SECTION_HASHES];

// GUIDs as they are stored: the first three groups little-endian.
/// 7255371f-3a3b-4b04-927b-1da6efa8d454
const HASHES: [u8; 16] = *b"\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54";
/// 00f771de-1a7e-4fcb-890e-68c77e2fb44e
const RESET: [u8; 16] = *b"\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e";
/// dc886566-984a-4798-a75e-5585a7bf67cc
const METADATA: [u8; 16] = *b"\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc";

const NOT_FIRMWARE: &str = "this is not UEFI firmware for SEV";
const DAMAGED: &str = "its table of SEV entries is damaged";
const NO_HASHES: &str =
    "this firmware has no table for the SNP kernel hashes, so a host could boot any kernel";

/// Refuses a firmware that cannot be measured together with a kernel.
pub(crate) fn check(path: &Path) -> Result<(), MeasureError> {
    let file = std::fs::metadata(path).and_then(|metadata| match metadata.len() {
        // Not read at all, because `faults` below refuses its length.
        length if length > MAX_SIZE as u64 => Ok(Vec::new()),
        _ => std::fs::read(path),
    });
    let file = file.map_err(|source| MeasureError::File {
        path: path.to_owned(),
        source,
    })?;
    faults(&file).map_err(|fault| MeasureError::Firmware {
        path: path.to_owned(),
        fault,
    })
}

fn faults(file: &[u8]) -> Result<(), &'static str> {
    if file.is_empty() || !file.len().is_multiple_of(PAGE) {
        return Err(NOT_FIRMWARE);
    }
    let entries = footer::entries(file, NOT_FIRMWARE, DAMAGED)?;
    let entry = |guid: &[u8; 16]| footer::entry(&entries, guid);
    let metadata = sections(file, entry(&METADATA).ok_or(NO_HASHES)?)?;
    u32_at(entry(&RESET).ok_or(DAMAGED)?, 0).ok_or(DAMAGED)?;
    let hashes = u32_at(entry(&HASHES).ok_or(NO_HASHES)?, 0).ok_or(DAMAGED)? as usize;
    if metadata
        .iter()
        .any(|(_, size, _)| !size.is_multiple_of(PAGE))
    {
        return Err(DAMAGED);
    }
    let mut pages = metadata
        .iter()
        .filter(|(_, _, kind)| *kind == SECTION_HASHES);
    match (pages.next(), pages.next()) {
        (None, _) => Err(NO_HASHES),
        (Some((address, PAGE, _)), None)
            if hashes >= *address && hashes - address <= PAGE - HASHES_TABLE =>
        {
            Ok(())
        }
        _ => Err(DAMAGED),
    }
}

/// Address, size and type of each section that SNP measures.
fn sections(file: &[u8], entry: &[u8]) -> Result<Vec<(usize, usize, u32)>, &'static str> {
    let from_end = u32_at(entry, 0).ok_or(DAMAGED)? as usize;
    let start = file.len().checked_sub(from_end).ok_or(DAMAGED)?;
    let metadata = file.get(start..).ok_or(DAMAGED)?;
    let word = |at| u32_at(metadata, at).ok_or(DAMAGED);
    let (size, version, items) = (word(4)? as usize, word(8)?, word(12)? as usize);
    let expected = items
        .checked_mul(METADATA_ITEM)
        .and_then(|all| all.checked_add(METADATA_HEADER));
    if !metadata.starts_with(b"ASEV") || version != 1 || expected != Some(size) {
        return Err(DAMAGED);
    }
    let listed = metadata.get(METADATA_HEADER..size).ok_or(DAMAGED)?;
    let sections = listed.chunks_exact(METADATA_ITEM).map(|item| {
        let kind = u32_at(item, 8).filter(|kind| SECTIONS.contains(kind))?;
        Some((u32_at(item, 0)? as usize, u32_at(item, 4)? as usize, kind))
    });
    sections.collect::<Option<_>>().ok_or(DAMAGED)
}
