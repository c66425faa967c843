//! The extension in which a platform's certificate names its firmware levels.

use crate::tlv::{tag, tlv};

/// The platform's name among Intel's, as TCB info has it.
pub(super) const FMSPC: [u8; 6] = [0x90, 0xC0, 0x6F, 0, 0, 0];

/// 1.2.840.113741.1.13.1
const SGX: &str = "1.2.840.113741.1.13.1";
/// The same in DER.
const SGX_BYTES: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01];

/// Every component at 5, PCE at 13, a scalable platform with SMT on.
pub(super) fn platform() -> (&'static str, Vec<u8>) {
    let item = |below: &[u8], kind, content: &[u8]| {
        let oid = tlv(tag::OID, &[SGX_BYTES, below]);
        tlv(tag::SEQUENCE, &[&oid, &tlv(kind, &[content])])
    };
    let mut tcb: Vec<u8> = (1..=16)
        .flat_map(|number| item(&[2, number], tag::INTEGER, &[5]))
        .collect();
    tcb.extend(item(&[2, 17], tag::INTEGER, &[13]));
    tcb.extend(item(&[2, 18], tag::OCTET_STRING, &[5; 16]));
    // Dynamic platform, cached keys, SMT.
    let flags: Vec<u8> = [(1, 0), (2, 0), (3, 0xFF)]
        .iter()
        .flat_map(|(number, value)| item(&[7, *number], tag::BOOLEAN, &[*value]))
        .collect();
    let items = [
        // PPID, TCB, PCEID, FMSPC, type, platform instance, configuration.
        item(&[1], tag::OCTET_STRING, &[1; 16]),
        item(&[2], tag::SEQUENCE, &tcb),
        item(&[3], tag::OCTET_STRING, &[0; 2]),
        item(&[4], tag::OCTET_STRING, &FMSPC),
        item(&[5], tag::ENUMERATED, &[1]),
        item(&[6], tag::OCTET_STRING, &[6; 16]),
        item(&[7], tag::SEQUENCE, &flags),
    ]
    .concat();
    (SGX, tlv(tag::SEQUENCE, &[&items]))
}
