//! The table at the end of an OVMF firmware: GUID-tagged entries that say where the firmware's metadata for SEV and TDX is
//! (`OvmfPkg/ResetVector` in EDK II). It is read backwards, from 32 bytes before the end. Nothing in it is trusted: an auditor may
//! be given any file.

/// The largest firmware file for QEMU: it ends at 4 GiB, and the guest's memory lies below it.
pub(crate) const MAX_SIZE: usize = 64 * 1024 * 1024;
/// The unit that both platforms measure in.
pub(crate) const PAGE: usize = 4096;
/// From the end of the file to the end of the table.
const AFTER_TABLE: usize = 32;
/// A length of two bytes and a GUID, at the end of each entry.
const ENTRY_TAIL: usize = 18;

/// 96b582de-1fb2-45f7-baea-a366c55a082d, as it is stored: the first three groups little-endian.
const TABLE: [u8; 16] = *b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d";

/// A GUID and the data under it.
pub(crate) type Entry<'a> = ([u8; 16], &'a [u8]);

/// Each entry, from the last in the file to the first. Refused with the caller's words if there is no table, or one that makes no sense.
pub(crate) fn entries<'a>(
    file: &'a [u8],
    no_table: &'static str,
    damaged: &'static str,
) -> Result<Vec<Entry<'a>>, &'static str> {
    let end = file.len().checked_sub(AFTER_TABLE);
    let end = end.and_then(|end| file.get(..end));
    let (guid, table) = end.and_then(last_entry).ok_or(no_table)?;
    if guid != TABLE {
        return Err(no_table);
    }
    let mut entries = Vec::new();
    let mut rest = table;
    while !rest.is_empty() {
        let (guid, data) = last_entry(rest).ok_or(damaged)?;
        entries.push((guid, data));
        // An entry was read off the end, so the file has at least that much.
        rest = rest
            .get(..rest.len() - data.len() - ENTRY_TAIL)
            .unwrap_or_default();
    }
    Ok(entries)
}

/// The data of the entry with this GUID.
pub(crate) fn entry<'a>(entries: &[Entry<'a>], guid: &[u8; 16]) -> Option<&'a [u8]> {
    let mut found = entries.iter().rev().filter(|(found, _)| found == guid);
    found.next().map(|(_, data)| *data)
}

/// The entry that these bytes end with.
fn last_entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let tail = bytes.len().checked_sub(ENTRY_TAIL)?;
    let guid = bytes.get(tail + 2..)?.try_into().ok()?;
    let length = u16::from_le_bytes(bytes.get(tail..tail + 2)?.try_into().ok()?);
    let start = bytes.len().checked_sub(usize::from(length))?;
    Some((guid, bytes.get(start..tail)?))
}

/// The 32-bit number at an offset.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

/// The 16-bit number at an offset.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(
        bytes.get(at..at.checked_add(2)?)?.try_into().ok()?,
    ))
}

/// The 64-bit number at an offset.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(
        bytes.get(at..at.checked_add(8)?)?.try_into().ok()?,
    ))
}
