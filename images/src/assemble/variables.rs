//! TDX's firmware without what Debian put into its store of UEFI variables.
//!
//! Debian enrols Microsoft's Secure Boot keys there. With them the firmware refuses the kernel, which carries no signature of
//! theirs; and Secure Boot would add nothing: one run-time register measures the store, and another the kernel. The code stays
//! as Debian built it, and so does MRTD, which does not cover the store.

use std::ops::Range;

/// e47a6535-984a-4798-865e-4685a7bf8ec2: under which firmware announces its TDX metadata, as it is stored.
const TDX_METADATA: [u8; 16] = [
    0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47, 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2,
];
/// aaf32c78-947b-439a-a180-2e144ec37792: authenticated variables, as it is stored.
const STORE: [u8; 16] = [
    0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92,
];
/// Of the volume at the file's start: its signature, and the length of its header.
const SIGNATURE: Range<usize> = 40..44;
const HEADER_LENGTH: Range<usize> = 48..50;
/// Of the store in it: its size, and where its content begins.
const SIZE: Range<usize> = 16..20;
const CONTENT: usize = 28;
/// What flash memory holds where nothing was written.
const ERASED: u8 = 0xff;

/// The same firmware with an empty store; `None` if TDX cannot start it, or it has no store.
pub fn without_variables(firmware: &[u8]) -> Option<Vec<u8>> {
    let announced = firmware
        .windows(TDX_METADATA.len())
        .any(|window| window == TDX_METADATA);
    let content = content(firmware)?;
    let mut emptied = firmware.to_vec();
    emptied.get_mut(content)?.fill(ERASED);
    announced.then_some(emptied)
}

/// Where the variables stand (EDK II, `VariableFormat.h`).
fn content(firmware: &[u8]) -> Option<Range<usize>> {
    let header = u16::from_le_bytes(firmware.get(HEADER_LENGTH)?.try_into().ok()?);
    let start = usize::from(header);
    let store = firmware.get(start..)?;
    let size = u32::from_le_bytes(store.get(SIZE)?.try_into().ok()?) as usize;
    let sound = firmware.get(SIGNATURE)? == b"_FVH" && store.starts_with(&STORE);
    (sound && (CONTENT..=store.len()).contains(&size)).then_some(start + CONTENT..start + size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A volume with a store of 64 bytes that holds `variables`, other content, and the metadata's GUID.
    fn firmware(variables: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 72];
        bytes[SIGNATURE].copy_from_slice(b"_FVH");
        bytes[HEADER_LENGTH].copy_from_slice(&[72, 0]);
        bytes.extend(STORE);
        bytes.extend([64, 0, 0, 0, 0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
        bytes.extend(variables);
        bytes.resize(72 + 64, ERASED);
        bytes.extend(b"code");
        bytes.extend(TDX_METADATA);
        bytes
    }

    #[test]
    fn empties_the_store_and_leaves_the_rest() {
        let emptied = without_variables(&firmware(b"Microsoft's keys")).unwrap();
        assert_eq!(emptied, firmware(b""));
        assert_eq!(without_variables(&emptied).unwrap(), emptied);
    }

    #[test]
    fn refuses_what_is_no_tdx_firmware() {
        let sound = firmware(b"");
        for end in 0..sound.len() {
            assert_eq!(without_variables(&sound[..end]), None, "{end} bytes");
        }
        let mut other = sound.clone();
        other[72] ^= 1;
        assert_eq!(without_variables(&other), None, "a store of another kind");
        let mut large = sound;
        large[72 + 18] = 1;
        assert_eq!(without_variables(&large), None, "a store beyond the file");
    }
}
