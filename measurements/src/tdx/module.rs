//! MRTD: what the TDX module accumulates while QEMU gives it the guest's first pages (Intel, "TDX Module Base
//! Specification": TDH.MEM.PAGE.ADD and TDH.MR.EXTEND).
//!
//! KVM adds a page and extends it at once, section after section, in the metadata's order. Kernels from before KVM had TDX support of
//! its own, which some clouds still run, first added all pages of a section; their MRTD differs.

use super::{Sha384Digest, metadata::Metadata};
use crate::footer::PAGE;
use sha2::{Digest, Sha384};

/// How much one `MR.EXTEND` covers.
const CHUNK: usize = 256;
/// The name of an operation and the address that it is about, padded.
const RECORD: usize = 128;

pub(super) fn mrtd(metadata: &Metadata<'_>) -> Sha384Digest {
    let mut hash = Sha384::new();
    for section in &metadata.sections {
        let starts = (section.address..section.address + section.size).step_by(PAGE);
        let mut pages = section.extended.unwrap_or_default().chunks(PAGE);
        for start in starts {
            hash.update(record(b"MEM.PAGE.ADD", start));
            let chunks = pages.next().unwrap_or_default().chunks(CHUNK);
            for (address, chunk) in (start..).step_by(CHUNK).zip(chunks) {
                hash.update(record(b"MR.EXTEND", address));
                hash.update(chunk);
            }
        }
    }
    hash.finalize().into()
}

fn record(operation: &[u8], address: u64) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let bytes = operation.iter().copied();
    let padding = std::iter::repeat_n(0, 16 - operation.len());
    let content = bytes.chain(padding).chain(address.to_le_bytes());
    for (place, byte) in record.iter_mut().zip(content) {
        *place = byte;
    }
    record
}
