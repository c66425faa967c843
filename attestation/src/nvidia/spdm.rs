//! A GPU's report: the SPDM 1.1 `GET_MEASUREMENTS` request, and the `MEASUREMENTS` response that answers it.
//!
//! Trusts nothing. The message ends exactly where its signature does, and the signature covers every byte before it,
//! including the verifier's nonce in the request.

use std::collections::BTreeMap;

use super::certificate::SIGNATURE_SIZE;
use crate::Rejection;

/// Every report seen so far is smaller than 5 KiB.
pub const MAX_REPORT_SIZE: usize = 16 * 1024;
/// The length of the request.
pub const REQUEST_SIZE: usize = 37;
/// A measurement: SHA-384.
pub const MEASUREMENT_SIZE: usize = 48;
/// Blocks are numbered from 1 to this.
pub const MAX_MEASUREMENTS: u8 = 64;

/// SPDM 1.1.
const VERSION: u8 = 0x11;
const GET_MEASUREMENTS: u8 = 0xE0;
const MEASUREMENTS: u8 = 0x60;
/// Parameter 1 of the request: the answer must be signed.
const SIGNED: u8 = 0x01;
/// Parameter 2 of the request: all measurements.
const ALL: u8 = 0xFF;
/// Certificate slots are numbered from 0 to this.
const MAX_SLOT: u8 = 7;
/// DMTF's own measurement specification.
const DMTF: u8 = 1;
/// A DMTF measurement: type, size, value.
const DMTF_SIZE: u16 = 3 + 48;

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Chosen by the verifier.
    pub nonce: [u8; 32],
    /// Which of the device's certificate chains to sign with.
    pub slot: u8,
}

/// Question and answer. Only their layout has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report<'a> {
    /// The question.
    pub request: Request,
    /// What the device measured, by RIM index: SPDM's block 1 is index 0.
    pub measurements: BTreeMap<u8, [u8; MEASUREMENT_SIZE]>,
    /// Chosen by the device.
    pub responder_nonce: [u8; 32],
    /// Type-length-value fields: [`super::opaque`].
    pub opaque: &'a [u8],
    /// What the signature covers.
    pub signed: &'a [u8],
    /// r and s, big-endian.
    pub signature: [u8; SIGNATURE_SIZE],
}

impl Request {
    /// Reads the request at the front of a report.
    pub fn parse(report: &[u8]) -> Result<Self, Rejection> {
        Self::read(&mut Reader(report))
    }

    /// The bytes to send to a device.
    pub fn encode(&self) -> [u8; REQUEST_SIZE] {
        let mut out = [0; REQUEST_SIZE];
        out[..4].copy_from_slice(&[VERSION, GET_MEASUREMENTS, SIGNED, ALL]);
        out[4..36].copy_from_slice(&self.nonce);
        out[36] = self.slot;
        out
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Rejection> {
        let header = reader.array()?;
        if header != [VERSION, GET_MEASUREMENTS, SIGNED, ALL] {
            return Err(malformed(
                "it does not begin with an SPDM 1.1 request for all measurements, signed",
            ));
        }
        let nonce = reader.array()?;
        let [slot] = reader.array()?;
        if slot > MAX_SLOT {
            return Err(malformed("its request names no certificate slot"));
        }
        Ok(Self { nonce, slot })
    }
}

impl<'a> Report<'a> {
    /// Reads request and response, which must end where the bytes do.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        if bytes.len() > MAX_REPORT_SIZE {
            return Err(Rejection::GpuEvidenceTooLarge { found: bytes.len() });
        }
        let mut reader = Reader(bytes);
        let request = Request::read(&mut reader)?;
        let [version, code, _, _] = reader.array()?;
        if [version, code] != [VERSION, MEASUREMENTS] {
            return Err(malformed(
                "its response is not an SPDM 1.1 MEASUREMENTS message",
            ));
        }
        let [blocks] = reader.array()?;
        let [a, b, c] = reader.array()?;
        let record =
            reader.take(usize::try_from(u32::from_le_bytes([a, b, c, 0])).unwrap_or(usize::MAX))?;
        let measurements = measurements(blocks, record)?;
        let responder_nonce = reader.array()?;
        let opaque_size = u16::from_le_bytes(reader.array()?);
        let opaque = reader.take(usize::from(opaque_size))?;
        let signed = bytes
            .get(..bytes.len() - reader.0.len())
            .unwrap_or_default();
        let signature = reader.array()?;
        match reader.0.len() {
            0 => Ok(Self {
                request,
                measurements,
                responder_nonce,
                opaque,
                signed,
                signature,
            }),
            extra => Err(Rejection::GpuReportTrailing { extra }),
        }
    }
}

fn measurements(
    blocks: u8,
    record: &[u8],
) -> Result<BTreeMap<u8, [u8; MEASUREMENT_SIZE]>, Rejection> {
    if !(1..=MAX_MEASUREMENTS).contains(&blocks) {
        return Err(malformed("it has no measurement, or more than 64"));
    }
    let short = || malformed("its measurement record is not as long as its blocks");
    let mut reader = Reader(record);
    let mut found = BTreeMap::new();
    for _ in 0..blocks {
        let [index, specification] = reader.array().map_err(|_| short())?;
        let size = u16::from_le_bytes(reader.array().map_err(|_| short())?);
        let [_kind] = reader.array().map_err(|_| short())?;
        let value_size = u16::from_le_bytes(reader.array().map_err(|_| short())?);
        if (specification, size, usize::from(value_size)) != (DMTF, DMTF_SIZE, MEASUREMENT_SIZE) {
            return Err(malformed(
                "a measurement is not a DMTF measurement of 48 bytes",
            ));
        }
        let value = reader.array().map_err(|_| short())?;
        let rim_index = index.checked_sub(1).filter(|it| *it < MAX_MEASUREMENTS);
        let rim_index =
            rim_index.ok_or_else(|| malformed("a measurement's index is not from 1 to 64"))?;
        if found.insert(rim_index, value).is_some() {
            return Err(malformed("two measurements have the same index"));
        }
    }
    if reader.0.is_empty() {
        Ok(found)
    } else {
        Err(short())
    }
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::GpuReportMalformed { what }
}

/// What is left to read; running out of bytes means that the report was cut.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Rejection> {
        let (head, rest) = self
            .0
            .split_first_chunk()
            .ok_or(Rejection::GpuReportTruncated)?;
        self.0 = rest;
        Ok(*head)
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Rejection> {
        let (head, rest) = self
            .0
            .split_at_checked(size)
            .ok_or(Rejection::GpuReportTruncated)?;
        self.0 = rest;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report with these blocks: index, and what the block's header says.
    fn report(count: u8, blocks: &[(u8, [u8; 6])]) -> Vec<u8> {
        let mut bytes = Request {
            nonce: [1; 32],
            slot: 0,
        }
        .encode()
        .to_vec();
        let record: Vec<u8> = blocks
            .iter()
            .flat_map(|(index, header)| [&[*index][..], header, &[7; MEASUREMENT_SIZE]].concat())
            .collect();
        let size = u32::try_from(record.len()).expect("small").to_le_bytes();
        bytes.extend([
            VERSION,
            MEASUREMENTS,
            0,
            0,
            count,
            size[0],
            size[1],
            size[2],
        ]);
        bytes.extend(record);
        bytes.extend([2; 32]);
        bytes.extend([3, 0, 0xA, 0xB, 0xC]);
        bytes.extend([4; SIGNATURE_SIZE]);
        bytes
    }

    const GOOD: [u8; 6] = [1, 51, 0, 1, 48, 0];

    #[test]
    fn the_parts_are_where_the_lengths_say() {
        let bytes = report(2, &[(1, GOOD), (64, GOOD)]);
        let report = Report::parse(&bytes).expect("a report");
        assert_eq!(
            report.request,
            Request {
                nonce: [1; 32],
                slot: 0
            }
        );
        assert_eq!(
            report.measurements.keys().collect::<Vec<_>>(),
            [&0, &63],
            "SPDM counts from one"
        );
        assert_eq!(
            (report.responder_nonce, report.opaque),
            ([2; 32], &[0xA, 0xB, 0xC][..])
        );
        assert_eq!(report.signed.len() + SIGNATURE_SIZE, bytes.len());
        assert_eq!(report.signature, [4; SIGNATURE_SIZE]);
    }

    #[test]
    fn a_report_ends_where_its_signature_does() {
        let bytes = report(1, &[(1, GOOD)]);
        for size in 0..bytes.len() {
            assert_eq!(
                Report::parse(&bytes[..size]),
                Err(Rejection::GpuReportTruncated),
                "{size}"
            );
        }
        let longer = [&bytes[..], &[0, 0]].concat();
        assert_eq!(
            Report::parse(&longer),
            Err(Rejection::GpuReportTrailing { extra: 2 })
        );
        let huge = vec![0; MAX_REPORT_SIZE + 1];
        assert_eq!(
            Report::parse(&huge),
            Err(Rejection::GpuEvidenceTooLarge { found: huge.len() })
        );
    }

    #[test]
    fn blocks_are_unique_measurements_of_48_bytes() {
        for bytes in [
            report(0, &[]),
            report(65, &[(1, GOOD); 65]),
            report(1, &[(0, GOOD)]),
            report(1, &[(65, GOOD)]),
            report(2, &[(1, GOOD), (1, GOOD)]),
            report(2, &[(1, GOOD)]),
            report(1, &[(1, GOOD), (2, GOOD)]),
            report(1, &[(1, [2, 51, 0, 1, 48, 0])]),
            report(1, &[(1, [1, 52, 0, 1, 48, 0])]),
            report(1, &[(1, [1, 51, 0, 1, 32, 0])]),
        ] {
            assert_eq!(
                Report::parse(&bytes).map_err(|it| it.code()),
                Err("gpu_report_malformed")
            );
        }
    }

    #[test]
    fn question_and_answer_are_spdm_1_1() {
        let good = report(1, &[(1, GOOD)]);
        for (place, value) in [
            (0, 0x12),
            (1, 0xE1),
            (2, 0),
            (3, 1),
            (36, 8),
            (37, 0x12),
            (38, 0x7F),
        ] {
            let mut bad = good.clone();
            bad[place] = value;
            assert_eq!(
                Report::parse(&bad).map_err(|it| it.code()),
                Err("gpu_report_malformed"),
                "byte {place}"
            );
        }
    }
}
