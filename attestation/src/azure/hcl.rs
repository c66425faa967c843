//! Azure's wrapping of a report: a header, the report, and the runtime data that the paravisor had the report cover.
//!
//! The guest cannot choose the report's data there: they are the digest of the runtime data, which name the virtual TPM's keys. What
//! the TPM itself says is a separate piece of evidence: [`super::vtpm`].

use super::tdreport::TDREPORT_SIZE;
use crate::{
    Rejection,
    encoding::{digest::sha256, reader::Reader},
    snp::report::REPORT_SIZE,
    transcript::ensure,
};

/// How a wrapped report begins.
pub const MAGIC: [u8; 4] = *b"HCLA";
/// Azure's have 2048 or 2600 bytes.
pub const MAX_SIZE: usize = 64 * 1024;
/// The size of what precedes the runtime data: a header of 32 bytes, room for a report, and five words about what follows.
const BEFORE_DATA: u32 = 1236;
/// The five words.
const WORDS: u32 = 20;
/// The request that the paravisor makes at boot to have the virtual TPM's key certified.
const KEY_REQUEST: u32 = 2;
/// The type of the runtime data's hash: the only one that Azure uses.
const SHA256: u32 = 1;

/// Whose report is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// SEV-SNP: the report itself.
    Snp,
    /// TDX: a `TDREPORT`, from which a quote is made.
    Tdx,
}

impl Platform {
    /// Its number in the wrapping.
    const fn number(self) -> u32 {
        match self {
            Self::Snp => 2,
            Self::Tdx => 4,
        }
    }

    /// Its report's size; the room for it is as large as the larger of the two.
    const fn size(self) -> usize {
        match self {
            Self::Snp => REPORT_SIZE,
            Self::Tdx => TDREPORT_SIZE,
        }
    }

    /// Where the report holds what its requester put in.
    const fn data_at(self) -> usize {
        match self {
            Self::Snp => 0x50,
            Self::Tdx => 128,
        }
    }
}

/// A wrapped report. All that is verified is that the report covers the runtime data and, on SNP, names the paravisor as its requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wrapped<'a> {
    /// The report: 1184 bytes of SNP, or a `TDREPORT` of 1024.
    pub report: &'a [u8],
    /// JSON from the paravisor: keys of the virtual TPM, configuration, user data. Trustworthy only once the report is.
    pub runtime_data: &'a [u8],
}

/// Whether these bytes are a wrapped report, for any platform.
pub fn is_wrapped(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Which platform's report is inside, if it is a known one.
pub fn platform(bytes: &[u8]) -> Option<Platform> {
    let word = bytes.get(1224..1228)?;
    let number = u32::from_le_bytes(word.try_into().ok()?);
    [Platform::Snp, Platform::Tdx]
        .into_iter()
        .find(|platform| platform.number() == number)
}

/// Takes the wrapping off a report of this platform. Offsets: docs/spec/verification.md, step hcl-1.
pub fn unwrap(bytes: &[u8], platform: Platform) -> Result<Wrapped<'_>, Rejection> {
    let malformed = |what| Rejection::HclMalformed { what };
    let holds = |holds, what| ensure(holds, || malformed(what));
    holds(bytes.len() <= MAX_SIZE, "it is larger than any of Azure's")?;
    let mut reader = Reader::new(bytes, malformed("it ends too early"));
    holds(reader.array()? == MAGIC, "it does not begin with HCLA")?;
    holds(matches!(reader.u32()?, 1 | 2), "its version is not known")?;
    let size = reader.u32()?;
    let request = [reader.u32()?, reader.u32()?];
    holds(
        request == [KEY_REQUEST, 0],
        "it does not answer the request for a key",
    )?;
    let mut zero = reader.array()? == [0; 12];
    let (report, padding) = reader
        .take(REPORT_SIZE)?
        .split_at_checked(platform.size())
        .ok_or(malformed("it ends too early"))?;
    zero &= padding.iter().all(|byte| *byte == 0);
    let data_size = reader.u32()?;
    holds(
        reader.u32()? == 1,
        "the version of its runtime data is not known",
    )?;
    holds(
        reader.u32()? == platform.number(),
        match platform {
            Platform::Snp => "the report inside is not SEV-SNP's",
            Platform::Tdx => "the report inside is not TDX's",
        },
    )?;
    holds(zero, "it sets what is reserved")?;
    holds(
        reader.u32()? == SHA256,
        "its runtime data is not hashed with SHA-256",
    )?;
    let length = reader.u32()?;
    let runtime_data = usize::try_from(length).map_err(|_| malformed("it ends too early"))?;
    let runtime_data = reader.take(runtime_data)?;
    holds(
        reader.rest().iter().all(|byte| *byte == 0),
        "bytes follow its runtime data",
    )?;
    holds(
        length.checked_add(WORDS) == Some(data_size)
            && length.checked_add(BEFORE_DATA) == Some(size),
        "its sizes contradict each other",
    )?;
    let wrapped = Wrapped {
        report,
        runtime_data,
    };
    ensure(wrapped.is_covered(platform), || Rejection::HclRuntimeData)?;
    match wrapped.vmpl() {
        found @ 1.. if platform == Platform::Snp => Err(Rejection::HclVmpl { found }),
        _ => Ok(wrapped),
    }
}

impl Wrapped<'_> {
    /// Checks who requested an SNP report. A guest below the paravisor can request one too, and put in the digest of its own keys.
    fn vmpl(&self) -> u32 {
        let word = self.report.get(0x30..0x34);
        let word = word.and_then(|word| word.try_into().ok());
        word.map_or(u32::MAX, u32::from_le_bytes)
    }

    /// Checks that the report's data are the runtime data's digest, and zero after it.
    fn is_covered(&self, platform: Platform) -> bool {
        let digest = sha256(&[self.runtime_data]);
        let covered = self.report.get(platform.data_at()..);
        let covered = covered.and_then(|data| data.split_first_chunk::<32>());
        covered.is_some_and(|(first, rest)| *first == digest && rest.starts_with(&[0; 32]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wrapping around a report full of zeros that covers `runtime_data`.
    fn wrapping(runtime_data: &[u8], platform: Platform) -> Vec<u8> {
        let mut report = vec![0; REPORT_SIZE];
        let at = platform.data_at();
        report[at..at + 32].copy_from_slice(&sha256(&[runtime_data]));
        let length = u32::try_from(runtime_data.len()).expect("short");
        let mut bytes = MAGIC.to_vec();
        for word in [2, length + BEFORE_DATA, KEY_REQUEST, 0] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&report);
        for word in [length + WORDS, 1, platform.number(), SHA256, length] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(runtime_data);
        bytes.extend_from_slice(&[0; 100]);
        bytes
    }

    fn snp(bytes: &[u8]) -> Result<Wrapped<'_>, Rejection> {
        unwrap(bytes, Platform::Snp)
    }

    #[test]
    fn takes_the_wrapping_off() {
        for (platform, size) in [(Platform::Snp, 1184), (Platform::Tdx, 1024)] {
            let bytes = wrapping(b"{}", platform);
            let wrapped = unwrap(&bytes, platform).expect("a wrapped report");
            assert_eq!(wrapped.runtime_data, b"{}");
            assert_eq!(wrapped.report.len(), size);
            assert_eq!(super::platform(&bytes), Some(platform));
        }
    }

    #[test]
    fn refuses_runtime_data_that_the_report_does_not_cover() {
        for platform in [Platform::Snp, Platform::Tdx] {
            for at in [1236, 32 + platform.data_at() + 32] {
                let mut bytes = wrapping(b"{}", platform);
                bytes[at] ^= 1;
                assert_eq!(unwrap(&bytes, platform), Err(Rejection::HclRuntimeData));
            }
        }
    }

    #[test]
    fn refuses_runtime_data_that_the_paravisor_does_not_vouch_for() {
        for (vmpl, bytes) in [(2, [2, 0, 0, 0]), (u32::MAX, [0xFF; 4])] {
            let mut wrapped = wrapping(b"{}", Platform::Snp);
            wrapped[32 + 0x30..32 + 0x34].copy_from_slice(&bytes);
            assert_eq!(snp(&wrapped), Err(Rejection::HclVmpl { found: vmpl }));
        }
    }

    #[test]
    fn refuses_a_wrapping_that_is_cut_padded_or_unknown() {
        let refused = |change: fn(&mut Vec<u8>)| {
            let mut bytes = wrapping(b"{}", Platform::Snp);
            change(&mut bytes);
            match snp(&bytes) {
                Err(Rejection::HclMalformed { what }) => what,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|it| it.truncate(1237)), "it ends too early");
        assert_eq!(refused(|it| it[0] = b'h'), "it does not begin with HCLA");
        assert_eq!(refused(|it| it[4] = 3), "its version is not known");
        let sizes = "its sizes contradict each other";
        assert_eq!(refused(|it| it[8] ^= 1), sizes);
        assert_eq!(refused(|it| it[1216] ^= 1), sizes);
        let request = "it does not answer the request for a key";
        assert_eq!(refused(|it| it[12] = 1), request);
        assert_eq!(refused(|it| it[16] = 1), request);
        assert_eq!(refused(|it| it[20] = 1), "it sets what is reserved");
        assert_eq!(
            refused(|it| it[1220] = 2),
            "the version of its runtime data is not known"
        );
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

    #[test]
    fn refuses_a_report_of_another_platform() {
        let refused = |it: &[u8], platform, what| {
            assert_eq!(unwrap(it, platform), Err(Rejection::HclMalformed { what }));
        };
        let snp = wrapping(b"{}", Platform::Snp);
        refused(&snp, Platform::Tdx, "the report inside is not TDX's");
        let mut tdx = wrapping(b"{}", Platform::Tdx);
        refused(&tdx, Platform::Snp, "the report inside is not SEV-SNP's");
        tdx[32 + TDREPORT_SIZE] = 1;
        refused(&tdx, Platform::Tdx, "it sets what is reserved");
    }
}
