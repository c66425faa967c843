//! The configuration volume: the store of UEFI variables that a firmware starts with.
//!
//! Only an empty store is measured here. With Secure Boot keys enrolled, as Debian ships it, the firmware refuses a kernel that
//! Microsoft did not sign, or boots it by a path that measures nothing; and each variable is an event of its own.

use crate::footer::{u16_at, u32_at};

/// Of a firmware volume: its signature, and the length of its header.
const SIGNATURE_AT: usize = 40;
const HEADER_LENGTH_AT: usize = 48;
/// Of the store in it: GUID, size, then one byte each of format and state, and padding.
const STORE_SIZE_AT: usize = 16;
const STORE_FORMAT_AT: usize = 20;
const STORE_HEADER: usize = 28;
/// `VARIABLE_STORE_FORMATTED`, `VARIABLE_STORE_HEALTHY`.
const READY: [u8; 2] = [0x5A, 0xFE];
/// aaf32c78-947b-439a-a180-2e144ec37792: authenticated variables, as it is stored.
const STORE: [u8; 16] = *b"\x78\x2c\xf3\xaa\x7b\x94\x9a\x43\xa1\x80\x2e\x14\x4e\xc3\x77\x92";

const NO_STORE: &str = "its configuration volume holds no store of UEFI variables";
const NOT_EMPTY: &str = "its store of UEFI variables is not empty (Debian's has Microsoft's Secure Boot keys, which refuse this kernel)";

pub(super) fn must_be_empty(volume: &[u8]) -> Result<(), &'static str> {
    match content(volume) {
        None => Err(NO_STORE),
        Some(content) if content.iter().all(|byte| *byte == 0xFF) => Ok(()),
        Some(_) => Err(NOT_EMPTY),
    }
}

/// What follows the store's header.
fn content(volume: &[u8]) -> Option<&[u8]> {
    let signature = volume.get(SIGNATURE_AT..SIGNATURE_AT + 4)?;
    let store = volume.get(usize::from(u16_at(volume, HEADER_LENGTH_AT)?)..)?;
    let size = u32_at(store, STORE_SIZE_AT)? as usize;
    let ready = store.get(STORE_FORMAT_AT..STORE_FORMAT_AT + 2)? == READY;
    if signature != b"_FVH" || !store.starts_with(&STORE) || !ready {
        return None;
    }
    store.get(STORE_HEADER..size)
}
