//! TDVF metadata: which parts of a firmware TDX puts where, and which of them it measures (Intel, "TDX Virtual Firmware Design
//! Guide", 11.2).
//!
//! The parser is our own: that of the `tdx` crate reads enumerations out of the file unchecked, and panics on lengths.

use crate::footer::{self, MAX_SIZE, PAGE, u32_at, u64_at};

/// e47a6535-984a-4798-865e-4685a7bf8ec2, as it is stored.
const OFFSET: [u8; 16] = *b"\x35\x65\x7a\xe4\x4a\x98\x98\x47\x86\x5e\x46\x85\xa7\xbf\x8e\xc2";
/// Signature, length, version and number of the sections that follow.
const HEADER: usize = 16;
const SECTION: usize = 32;
/// Real firmware has six or seven.
const MAX_SECTIONS: usize = 64;
/// `MR.EXTEND`: the section's content is measured, not only its place.
const EXTEND: u32 = 1;

pub(super) const NOT_FIRMWARE: &str = "this is not UEFI firmware for TDX";
const NO_METADATA: &str = "this firmware has no TDX metadata, so a TDX module could not start it";
const DAMAGED: &str = "its TDX metadata is damaged";
const UNKNOWN: &str = "its TDX metadata asks for something that this version cannot measure (a section's type or attributes)";

/// What a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The code.
    Boot,
    /// The store of UEFI variables.
    Configuration,
    /// Where QEMU puts the hand-off block.
    HandOff,
    /// Memory that the firmware needs before it accepts any.
    Memory,
}

/// A part of the guest's memory that is there before the guest runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section<'a> {
    pub(super) kind: Kind,
    /// Where it begins: on a page boundary.
    pub(super) address: u64,
    /// Its length in the guest: whole pages.
    pub(super) size: u64,
    /// Its bytes, if its content is measured: as many as `size`.
    pub(super) extended: Option<&'a [u8]>,
}

/// The sections, in the order in which QEMU adds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata<'a> {
    pub(super) sections: Vec<Section<'a>>,
    /// Where the hand-off block is.
    pub(super) hand_off: u64,
    /// The bytes of the store of variables.
    pub(super) configuration: &'a [u8],
}

impl<'a> Metadata<'a> {
    pub(super) fn parse(file: &'a [u8]) -> Result<Self, &'static str> {
        if file.is_empty() || file.len() > MAX_SIZE || !file.len().is_multiple_of(PAGE) {
            return Err(NOT_FIRMWARE);
        }
        let entries = footer::entries(file, NOT_FIRMWARE, DAMAGED)?;
        let entry = footer::entry(&entries, &OFFSET).ok_or(NO_METADATA)?;
        let metadata = from_end(file, entry).ok_or(DAMAGED)?;
        let word = |at| u32_at(metadata, at).ok_or(DAMAGED);
        let (length, version, count) = (word(4)? as usize, word(8)?, word(12)? as usize);
        let fits = count <= MAX_SECTIONS && length == HEADER + count * SECTION;
        if !metadata.starts_with(b"TDVF") || version != 1 || !fits {
            return Err(DAMAGED);
        }
        let listed = metadata.get(HEADER..length).ok_or(DAMAGED)?;
        let read: Result<Vec<_>, _> = listed
            .chunks_exact(SECTION)
            .map(|section| read_section(file, section))
            .collect();
        Self::of(&read?).ok_or(DAMAGED)
    }

    fn of(read: &[(Section<'a>, &'a [u8])]) -> Option<Self> {
        let total: u64 = read.iter().map(|(section, _)| section.size).sum();
        let mut places: Vec<_> = read.iter().map(|(section, _)| *section).collect();
        places.sort_by_key(|section| section.address);
        let apart = places
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.address + a.size <= b.address));
        let only = |kind| {
            let mut found = read.iter().filter(|(section, _)| section.kind == kind);
            found.next().filter(|_| found.next().is_none())
        };
        let code = read.iter().any(|(section, _)| section.extended.is_some());
        if !apart || !code || total > MAX_SIZE as u64 {
            return None;
        }
        Some(Self {
            sections: read.iter().map(|(section, _)| *section).collect(),
            hand_off: only(Kind::HandOff)?.0.address,
            configuration: only(Kind::Configuration)?.1,
        })
    }
}

/// What the entry's offset, counted from the file's end, points to.
fn from_end<'a>(file: &'a [u8], entry: &[u8]) -> Option<&'a [u8]> {
    file.get(file.len().checked_sub(u32_at(entry, 0)? as usize)?..)
}

/// One section and its bytes in the file.
fn read_section<'a>(file: &'a [u8], bytes: &[u8]) -> Result<(Section<'a>, &'a [u8]), &'static str> {
    let word = |at| u32_at(bytes, at).ok_or(DAMAGED);
    let long = |at| u64_at(bytes, at).ok_or(DAMAGED);
    let (offset, length) = (word(0)? as usize, word(4)? as usize);
    let (address, size) = (long(8)?, long(16)?);
    let kind = match word(24)? {
        0 => Kind::Boot,
        1 => Kind::Configuration,
        2 => Kind::HandOff,
        3 => Kind::Memory,
        _ => return Err(UNKNOWN),
    };
    let extended = match word(28)? {
        0 => false,
        EXTEND => true,
        _ => return Err(UNKNOWN),
    };
    let page = PAGE as u64;
    let whole = address.is_multiple_of(page) && size.is_multiple_of(page) && size > 0;
    // Guests have at most 52 bits of address; what lies beyond could wrap.
    if !whole || address >> 52 != 0 || size > MAX_SIZE as u64 {
        return Err(DAMAGED);
    }
    let end = offset.checked_add(length).ok_or(DAMAGED)?;
    let data = file.get(offset..end).ok_or(DAMAGED)?;
    // QEMU measures as much as the section takes in memory, straight out of the file.
    if data.len() as u64 > size || extended && data.len() as u64 != size {
        return Err(DAMAGED);
    }
    let section = Section {
        kind,
        address,
        size,
        extended: extended.then_some(data),
    };
    Ok((section, data))
}
