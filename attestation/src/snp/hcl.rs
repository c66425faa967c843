//! Azure's wrapping of a report: a header, the report, and the runtime data that the paravisor had the report cover.
//!
//! The guest cannot choose `REPORT_DATA` there: it is the digest of the runtime data, which name the virtual TPM's keys. What the
//! TPM itself says is another piece of evidence: [`super::vtpm`].

use crate::{Rejection, digest::sha256, read::Reader, snp::report::REPORT_SIZE};

/// How a wrapped report begins.
pub const MAGIC: [u8; 4] = *b"HCLA";
/// Azure's have 2048 or 2600 bytes.
pub const MAX_SIZE: usize = 64 * 1024;
/// Of [`platform`]: an SEV-SNP report is inside.
const SNP: u32 = 2;
/// Of the runtime data's hash: the only one that Azure uses.
const SHA256: u32 = 1;

/// A wrapped report. Nothing of it is verified, but that the report covers the runtime data and calls the paravisor its asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrapped<'a> {
    /// The report, 1184 bytes.
    pub report: &'a [u8],
    /// JSON of the paravisor: keys of the virtual TPM, configuration, user data. To be believed once the report is.
    pub runtime_data: &'a [u8],
}

/// Whether these bytes are a wrapped report, of whatever platform.
pub fn is_wrapped(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Which platform's report is inside: 2 is SEV-SNP, 4 is TDX.
pub fn platform(bytes: &[u8]) -> Option<u32> {
    let word = bytes.get(1224..1228)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

/// Takes the wrapping off. Offsets: docs/spec/verification.md, step hcl-1.
pub fn unwrap(bytes: &[u8]) -> Result<Wrapped<'_>, Rejection> {
    let malformed = |what| Rejection::HclMalformed { what };
    if bytes.len() > MAX_SIZE {
        return Err(malformed("it is larger than any of Azure's"));
    }
    let mut reader = Reader::new(bytes, malformed("it ends too early"));
    if reader.array()? != MAGIC {
        return Err(malformed("it does not begin with HCLA"));
    }
    if !matches!(reader.u32()?, 1 | 2) {
        return Err(malformed("its version is not known"));
    }
    // Report size, request type and status; reserved.
    reader.array::<24>()?;
    let report = reader.take(REPORT_SIZE)?;
    // Size and version of what follows.
    reader.array::<8>()?;
    if reader.u32()? != SNP {
        return Err(malformed("the report inside is not SEV-SNP's"));
    }
    if reader.u32()? != SHA256 {
        return Err(malformed("its runtime data is not hashed with SHA-256"));
    }
    let length = usize::try_from(reader.u32()?).map_err(|_| malformed("it ends too early"))?;
    let runtime_data = reader.take(length)?;
    if reader.rest().iter().any(|byte| *byte != 0) {
        return Err(malformed("bytes follow its runtime data"));
    }
    let wrapped = Wrapped {
        report,
        runtime_data,
    };
    if !wrapped.is_covered() {
        return Err(Rejection::HclRuntimeData);
    }
    match wrapped.vmpl() {
        0 => Ok(wrapped),
        found => Err(Rejection::HclVmpl { found }),
    }
}

impl Wrapped<'_> {
    /// Who asked for the report. A guest below the paravisor can ask too, and put the digest of its own keys in.
    fn vmpl(&self) -> u32 {
        let word = self.report.get(0x30..0x34);
        let word = word.and_then(|word| word.try_into().ok());
        word.map_or(u32::MAX, u32::from_le_bytes)
    }

    /// Whether `REPORT_DATA` is the runtime data's digest, and zero after it.
    fn is_covered(&self) -> bool {
        let digest = sha256(&[self.runtime_data]);
        let covered = self
            .report
            .get(0x50..0x90)
            .and_then(<[u8]>::split_first_chunk::<32>);
        covered.is_some_and(|(first, rest)| *first == digest && rest == [0; 32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wrapping around a report of zeros that covers `runtime_data`.
    fn wrapping(runtime_data: &[u8]) -> Vec<u8> {
        let mut report = vec![0; REPORT_SIZE];
        report[0x50..0x70].copy_from_slice(&sha256(&[runtime_data]));
        let length = u32::try_from(runtime_data.len()).expect("short");
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&2u32.to_le_bytes());
        bytes.extend_from_slice(&[0; 24]);
        bytes.extend_from_slice(&report);
        bytes.extend_from_slice(&[0; 8]);
        for word in [SNP, SHA256, length] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(runtime_data);
        bytes.extend_from_slice(&[0; 100]);
        bytes
    }

    #[test]
    fn takes_the_wrapping_off() {
        let bytes = wrapping(b"{}");
        let wrapped = unwrap(&bytes).expect("a wrapped report");
        assert_eq!(wrapped.runtime_data, b"{}");
        assert_eq!(wrapped.report.len(), REPORT_SIZE);
        assert_eq!(platform(&bytes), Some(SNP));
    }

    #[test]
    fn refuses_runtime_data_that_the_report_does_not_cover() {
        let mut bytes = wrapping(b"{}");
        bytes[1236] ^= 1;
        assert_eq!(unwrap(&bytes), Err(Rejection::HclRuntimeData));
        let mut bytes = wrapping(b"{}");
        bytes[32 + 0x70] = 1;
        assert_eq!(unwrap(&bytes), Err(Rejection::HclRuntimeData));
    }

    #[test]
    fn refuses_runtime_data_that_the_paravisor_does_not_vouch_for() {
        for (vmpl, bytes) in [(2, [2, 0, 0, 0]), (u32::MAX, [0xFF; 4])] {
            let mut wrapped = wrapping(b"{}");
            wrapped[32 + 0x30..32 + 0x34].copy_from_slice(&bytes);
            assert_eq!(unwrap(&wrapped), Err(Rejection::HclVmpl { found: vmpl }));
        }
    }

    #[test]
    fn refuses_a_wrapping_that_is_cut_padded_or_unknown() {
        let refused = |change: fn(&mut Vec<u8>)| {
            let mut bytes = wrapping(b"{}");
            change(&mut bytes);
            match unwrap(&bytes) {
                Err(Rejection::HclMalformed { what }) => what,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|it| it.truncate(1237)), "it ends too early");
        assert_eq!(refused(|it| it[0] = b'h'), "it does not begin with HCLA");
        assert_eq!(refused(|it| it[4] = 3), "its version is not known");
        assert_eq!(
            refused(|it| it[1224] = 4),
            "the report inside is not SEV-SNP's"
        );
        assert_eq!(
            refused(|it| it[1228] = 2),
            "its runtime data is not hashed with SHA-256"
        );
        assert_eq!(refused(|it| it[1235] = 0xFF), "it ends too early");
        assert_eq!(refused(|it| it.push(1)), "bytes follow its runtime data");
        assert_eq!(
            refused(|it| it.resize(MAX_SIZE + 1, 0)),
            "it is larger than any of Azure's"
        );
    }
}
