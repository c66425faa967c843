//! Looks at a firmware before it is measured: whether it holds the kernel to its hashes, and whether its tables are
//! sound. The library that measures it presumes both, and an auditor may be given any file.
//!
//! Layout: a table of GUID-tagged entries, read backwards from 32 bytes before the end, points to the metadata that
//! lists which pages SNP measures how (`OvmfPkg/ResetVector` and `OvmfPkg/AmdSev` in EDK II).

use crate::MeasureError;
use std::path::Path;

const PAGE: usize = 4096;
/// What QEMU's firmware files may reach: they end at 4 GiB, below them lies the guest's memory.
const MAX_SIZE: usize = 64 * 1024 * 1024;
/// From the end of the file to the end of the table.
const AFTER_TABLE: usize = 32;
/// A length of two bytes and a GUID, at the end of each entry.
const ENTRY_TAIL: usize = 18;
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
/// 96b582de-1fb2-45f7-baea-a366c55a082d
const TABLE: [u8; 16] = *b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d";
/// 7255371f-3a3b-4b04-927b-1da6efa8d454
const HASHES: [u8; 16] = *b"\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54";
/// 00f771de-1a7e-4fcb-890e-68c77e2fb44e
const RESET: [u8; 16] = *b"\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e";
/// dc886566-984a-4798-a75e-5585a7bf67cc
const METADATA: [u8; 16] = *b"\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc";

const NOT_FIRMWARE: &str = "this is no UEFI firmware for SEV";
const DAMAGED: &str = "its table of SEV entries is damaged";
const NO_HASHES: &str =
    "this firmware has no table for the SNP kernel hashes, so a host could boot any kernel";

/// Refuses a firmware that cannot be measured together with a kernel.
pub(crate) fn check(path: &Path) -> Result<(), MeasureError> {
    let file = std::fs::metadata(path).and_then(|metadata| match metadata.len() {
        // Not read at all: `faults` below refuses its length.
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
    let entries = entries(file)?;
    let entry = |guid: &[u8; 16]| {
        entries
            .iter()
            .rev()
            .find(|(found, _)| found == guid)
            .map(|(_, data)| *data)
    };
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

/// A GUID and the data under it.
type Entry<'a> = ([u8; 16], &'a [u8]);

/// Each entry, from the last in the file to the first.
fn entries(file: &[u8]) -> Result<Vec<Entry<'_>>, &'static str> {
    let end = file.len().checked_sub(AFTER_TABLE).ok_or(NOT_FIRMWARE)?;
    let (guid, table) = last_entry(file.get(..end).ok_or(NOT_FIRMWARE)?).ok_or(NOT_FIRMWARE)?;
    if guid != TABLE {
        return Err(NOT_FIRMWARE);
    }
    let mut entries = Vec::new();
    let mut rest = table;
    while !rest.is_empty() {
        let (guid, data) = last_entry(rest).ok_or(DAMAGED)?;
        entries.push((guid, data));
        rest = &rest[..rest.len() - data.len() - ENTRY_TAIL];
    }
    Ok(entries)
}

/// The entry that these bytes end with.
fn last_entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let tail = bytes.len().checked_sub(ENTRY_TAIL)?;
    let length = u16::from_le_bytes(bytes.get(tail..tail + 2)?.try_into().ok()?);
    let guid = bytes.get(tail + 2..)?.try_into().ok()?;
    let start = bytes.len().checked_sub(usize::from(length))?;
    Some((guid, bytes.get(start..tail)?))
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

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}
