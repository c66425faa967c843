//! The table of certificates that a host may put beside an SNP report (GHCB specification §4.1.8.1). The host writes
//! it, so every number in it is hostile; what it holds is vendor-signed or worthless.

use chrysalis_attestation::bundle::Endorsements;

/// An entry: a GUID, then offset and length as little-endian `u32`.
const ENTRY: usize = 24;
/// The most entries that are looked at; AMD defines six.
const MAX_ENTRIES: usize = 16;
/// GUID of the revocation list, 92f81bc3-5811-4d3d-97ff-d19f88dc67ea.
const CRL: [u8; 16] = [
    0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67, 0xea,
];
/// The first byte of a DER sequence; tables that hold PEM are left to the host's endorsements.
const DER_SEQUENCE: u8 = 0x30;

/// The DER objects in the table. A broken entry ends it: nothing rests on a table being whole.
pub(super) fn parse(table: &[u8]) -> Endorsements {
    let mut found = Endorsements::default();
    for entry in table.chunks_exact(ENTRY).take(MAX_ENTRIES) {
        let (guid, place) = entry.split_at(16);
        if guid.iter().all(|byte| *byte == 0) {
            break;
        }
        match object(table, place) {
            Some(der) if guid == CRL => found.crls.push(der.to_vec()),
            Some(der) => found.certificates.push(der.to_vec()),
            None => break,
        }
    }
    found
}

fn object<'a>(table: &'a [u8], place: &[u8]) -> Option<&'a [u8]> {
    let offset = number(place.get(..4)?)?;
    let length = number(place.get(4..8)?)?;
    let object = table.get(offset..offset.checked_add(length)?)?;
    (object.first() == Some(&DER_SEQUENCE)).then_some(object)
}

fn number(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// GUID of the VCEK, 63da758d-e664-4564-adc5-f4b93be8accd.
    pub(crate) const VCEK: [u8; 16] = [
        0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
        0xcd,
    ];

    pub(crate) fn table(objects: &[([u8; 16], &[u8])]) -> Vec<u8> {
        let mut head = Vec::new();
        let mut body = Vec::new();
        let start = (objects.len() + 1) * ENTRY;
        for (guid, object) in objects {
            head.extend_from_slice(guid);
            head.extend_from_slice(&u32::try_from(start + body.len()).unwrap().to_le_bytes());
            head.extend_from_slice(&u32::try_from(object.len()).unwrap().to_le_bytes());
            body.extend_from_slice(object);
        }
        head.extend_from_slice(&[0; ENTRY]);
        [head, body].concat()
    }

    #[test]
    fn tells_certificates_from_revocation_lists() {
        let found = parse(&table(&[(VCEK, &[0x30, 1]), (CRL, &[0x30, 2, 3])]));
        assert_eq!(found.certificates, [vec![0x30, 1]]);
        assert_eq!(found.crls, [vec![0x30, 2, 3]]);
    }

    #[test]
    fn an_entry_that_points_outside_ends_the_table() {
        let mut hostile = table(&[(VCEK, &[0x30, 1])]);
        hostile[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&hostile), Endorsements::default());
    }

    #[test]
    fn hostile_tables_never_panic() {
        for length in 0..200 {
            for fill in [0, 1, 0x30, 0xff] {
                parse(&vec![fill; length]);
            }
        }
    }
}
