//! The log of what a TD's firmware measures: the TCG's log in its crypto-agile form, with only SHA-384.

use chrysalis_attestation::encoding::digest::sha384;

/// SHA-384, in the TCG's numbering.
const SHA384: u16 = 0x0C;
/// `EV_NO_ACTION`: the first event describes the layout of the others.
const NO_ACTION: u32 = 3;

/// A log of these events: register in the log's numbering (1 is RTMR0), type, and data whose digest is measured.
pub fn event_log(events: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut log = [0, NO_ACTION].map(u32::to_le_bytes).concat();
    log.extend([0; 20]);
    let specification = [
        b"Spec ID Event03\0".as_slice(),
        // Platform class; version 2.0; 64 bits.
        &[0, 0, 0, 0, 0, 2, 0, 2],
        // One algorithm, 48 bytes; no vendor information.
        &1_u32.to_le_bytes(),
        &SHA384.to_le_bytes(),
        &[48, 0, 0],
    ];
    log.extend(counted(&specification.concat()));
    for (register, kind, data) in events {
        for part in [*register, *kind, 1] {
            log.extend(part.to_le_bytes());
        }
        log.extend(SHA384.to_le_bytes());
        log.extend(sha384(&[data]));
        log.extend(counted(data));
    }
    log
}

/// Four bytes of length, little-endian, and the bytes.
pub(super) fn counted(bytes: &[u8]) -> Vec<u8> {
    let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&count.to_le_bytes(), bytes].concat()
}
