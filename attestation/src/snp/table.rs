//! The certificate table that the host hands a guest along with its report (extended report, or `auxblob` of configfs-tsm).
//!
//! The host writes it, so everything in it is only a candidate.

use crate::{
    Rejection,
    encoding::{pem, reader::Reader},
    evidence::Endorsements,
};

/// The maximum number of entries, not counting the closing one.
const MAX_ENTRIES: usize = 16;
const ENTRY_SIZE: usize = 24;

/// VCEK, VLEK, ASK (or ASVK) and ARK. GUIDs are in the byte order of RFC 4122.
const CERTIFICATES: [[u8; 16]; 4] = [
    0x63da_758d_e664_4564_adc5_f4b9_3be8_accd_u128.to_be_bytes(),
    0xa807_4bc2_a25a_483e_aae6_39c0_45a0_b8a1_u128.to_be_bytes(),
    0x4ab7_b379_bbac_4fe4_a02f_05ae_f327_c782_u128.to_be_bytes(),
    0xc0b4_06a4_a803_4952_9743_3fb6_014c_d0ae_u128.to_be_bytes(),
];

/// Whether these bytes begin like a table whose first entry is a certificate; the table may still be malformed.
pub fn is_table(bytes: &[u8]) -> bool {
    bytes
        .first_chunk()
        .is_some_and(|guid| CERTIFICATES.contains(guid))
}

/// Reads the certificates, PEM or DER. Entries of other kinds are skipped; an empty table has none.
pub fn certificates(table: &[u8]) -> Result<Endorsements, Rejection> {
    let mut endorsements = Endorsements::default();
    if table.is_empty() {
        return Ok(endorsements);
    }
    for (guid, offset, length) in entries(table)? {
        let content = offset
            .checked_add(length)
            .and_then(|end| table.get(offset..end))
            .ok_or(Rejection::CertificateTable {
                what: "an entry points outside of it",
            })?;
        if CERTIFICATES.contains(&guid) {
            endorsements
                .certificates
                .extend(pem::certificates(content)?);
        }
    }
    Ok(endorsements)
}

/// GUID, offset and length of each entry, none of which points into the list of entries.
fn entries(table: &[u8]) -> Result<Vec<([u8; 16], usize, usize)>, Rejection> {
    let mut reader = Reader::new(
        table,
        Rejection::CertificateTable {
            what: "it does not end",
        },
    );
    let mut entries: Vec<([u8; 16], usize, usize)> = Vec::new();
    loop {
        let entry: ([u8; 16], _, _) = (reader.array()?, reader.u32()?, reader.u32()?);
        if entry == ([0; 16], 0, 0) {
            break;
        }
        if entries.len() == MAX_ENTRIES {
            return Err(Rejection::CertificateTable {
                what: "it has more than 16 entries",
            });
        }
        if entries.iter().any(|(guid, ..)| *guid == entry.0) {
            return Err(Rejection::CertificateTable {
                what: "it has an entry twice",
            });
        }
        let too_large = |_| Rejection::CertificateTable {
            what: "an entry points outside of it",
        };
        let offset = usize::try_from(entry.1).map_err(too_large)?;
        entries.push((
            entry.0,
            offset,
            usize::try_from(entry.2).map_err(too_large)?,
        ));
    }
    let header = (entries.len() + 1) * ENTRY_SIZE;
    if entries.iter().all(|(_, offset, _)| *offset >= header) {
        Ok(entries)
    } else {
        Err(Rejection::CertificateTable {
            what: "an entry points into its header",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VCEK: [u8; 16] = CERTIFICATES[0];

    fn table(entries: &[([u8; 16], u32, u32)], content: &[u8]) -> Vec<u8> {
        let mut table = Vec::new();
        for (guid, offset, length) in entries {
            table.extend_from_slice(guid);
            table.extend_from_slice(&offset.to_le_bytes());
            table.extend_from_slice(&length.to_le_bytes());
        }
        table.extend_from_slice(&[0; ENTRY_SIZE]);
        table.extend_from_slice(content);
        table
    }

    fn refusal(table: &[u8]) -> Option<Rejection> {
        certificates(table).err()
    }

    #[test]
    fn refuses_entries_that_point_elsewhere() {
        let outside = Some(Rejection::CertificateTable {
            what: "an entry points outside of it",
        });
        assert_eq!(refusal(&table(&[(VCEK, 48, 5)], b"four")), outside);
        assert_eq!(
            refusal(&table(&[(VCEK, u32::MAX, u32::MAX)], b"four")),
            outside
        );
        let inside = Some(Rejection::CertificateTable {
            what: "an entry points into its header",
        });
        assert_eq!(refusal(&table(&[(VCEK, 47, 1)], b"four")), inside);
    }

    #[test]
    fn refuses_a_table_without_an_end() {
        let endless = Some(Rejection::CertificateTable {
            what: "it does not end",
        });
        assert_eq!(refusal(&[1; 47]), endless);
    }

    #[test]
    fn refuses_two_entries_of_one_kind() {
        let twice = Some(Rejection::CertificateTable {
            what: "it has an entry twice",
        });
        assert_eq!(
            refusal(&table(&[(VCEK, 72, 1), (VCEK, 72, 1)], b"four")),
            twice
        );
    }

    #[test]
    fn refuses_more_entries_than_any_guest_has() {
        let entries = |count: u8| -> Vec<_> {
            let end = (u32::from(count) + 1) * 24;
            (0..count)
                .map(|number| ([number + 1; 16], end, 0))
                .collect()
        };
        assert!(certificates(&table(&entries(16), b"")).is_ok());
        let many = Some(Rejection::CertificateTable {
            what: "it has more than 16 entries",
        });
        assert_eq!(refusal(&table(&entries(17), b"")), many);
    }

    #[test]
    fn passes_over_what_it_does_not_know() {
        assert_eq!(
            certificates(&table(&[([9; 16], 48, 4)], b"four")),
            Ok(Endorsements::default())
        );
        assert_eq!(certificates(&[]), Ok(Endorsements::default()));
    }
}
