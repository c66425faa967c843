//! The digest of a kernel as UEFI measures a program: Authenticode's, which leaves out the checksum and the signatures, over
//! SHA-384 (Microsoft, "Windows Authenticode Portable Executable Signature Format"; EDK II, `MeasurePeImageAndExtend`).

use super::{Sha384Digest, sha384 as hash};
use crate::footer::{u16_at, u32_at};

/// Documentation/arch/x86/boot.rst of Linux.
const BOOT_FLAG_AT: usize = 0x1FE;
const HEADER_AT: usize = 0x202;
/// Where the offset of the PE header is.
const PE_OFFSET_AT: usize = 0x3C;
/// `PE\0\0` and the COFF header.
const COFF_LENGTH: usize = 24;
const PE32_PLUS: u16 = 0x20B;
/// In the optional header of PE32+.
const HEADERS_SIZE_AT: usize = 60;
const CHECKSUM_AT: usize = 64;
const DIRECTORIES_AT: usize = 108;
/// The number of directories and the first four of them: the fifth says where the signatures are.
const CERTIFICATES_AT: usize = DIRECTORIES_AT + 4 + 4 * 8;
const SECTION_LENGTH: usize = 40;
/// Kernels have fewer than ten.
const MAX_SECTIONS: u16 = 96;

const NOT_KERNEL: &str = "this is not a bzImage";
const NO_STUB: &str =
    "this kernel has no EFI stub, so the firmware would boot it without measuring it";
const DAMAGED: &str = "its PE header is damaged";

pub(super) fn sha384(kernel: &[u8]) -> Result<Sha384Digest, &'static str> {
    let bytes_at = |at: usize, length| kernel.get(at..at + length);
    if bytes_at(BOOT_FLAG_AT, 2) != Some(&[0x55, 0xAA]) || bytes_at(HEADER_AT, 4) != Some(b"HdrS") {
        return Err(NOT_KERNEL);
    }
    if !kernel.starts_with(b"MZ") {
        return Err(NO_STUB);
    }
    let parts = measured(kernel).ok_or(DAMAGED)?;
    Ok(hash(&parts))
}

/// The parts that count, in the order in which they do.
fn measured(kernel: &[u8]) -> Option<Vec<&[u8]>> {
    let pe = u32_at(kernel, PE_OFFSET_AT)? as usize;
    let optional = pe.checked_add(COFF_LENGTH)?;
    if kernel.get(pe..pe.checked_add(4)?)? != b"PE\0\0" || u16_at(kernel, optional)? != PE32_PLUS {
        return None;
    }
    let certificates = optional.checked_add(CERTIFICATES_AT)?;
    let checksum = optional.checked_add(CHECKSUM_AT)?;
    let headers = u32_at(kernel, optional.checked_add(HEADERS_SIZE_AT)?)? as usize;
    if u32_at(kernel, optional.checked_add(DIRECTORIES_AT)?)? < 5 {
        return None;
    }
    let mut parts = vec![
        kernel.get(..checksum)?,
        kernel.get(checksum + 4..certificates)?,
        kernel.get(certificates + 8..headers)?,
    ];
    let mut counted = headers;
    for (start, length) in sections(kernel, pe, optional)? {
        // Sections that overlap would be counted twice; no kernel has any, and EDK II refuses them.
        if start < counted {
            return None;
        }
        let end = start.checked_add(length)?;
        parts.push(kernel.get(start..end)?);
        counted = counted.checked_add(length)?;
    }
    let signatures = u32_at(kernel, certificates.checked_add(4)?)? as usize;
    let rest = kernel.len().checked_sub(signatures)?;
    if rest > counted {
        parts.push(kernel.get(counted..rest)?);
    } else if rest < counted {
        return None;
    }
    Some(parts)
}

/// Offset and length in the file of every section that has content there, by offset.
fn sections(kernel: &[u8], pe: usize, optional: usize) -> Option<Vec<(usize, usize)>> {
    let count = u16_at(kernel, pe + 6).filter(|count| *count <= MAX_SECTIONS)?;
    let table = optional.checked_add(usize::from(u16_at(kernel, pe + 20)?))?;
    let table = kernel.get(table..)?;
    let listed = table.get(..usize::from(count) * SECTION_LENGTH)?;
    let place = |section| {
        let (length, start) = (u32_at(section, 16)?, u32_at(section, 20)?);
        Some((start as usize, length as usize))
    };
    let places: Option<Vec<_>> = listed.chunks_exact(SECTION_LENGTH).map(place).collect();
    let mut places = places?;
    places.retain(|(_, length)| *length > 0);
    places.sort_unstable();
    Some(places)
}
