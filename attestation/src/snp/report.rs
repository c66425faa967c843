//! The attestation report: 1184 bytes, read and written field by field in the order of the layout.
//!
//! Trusts nothing: every reserved bit except those of `PLATFORM_INFO` must be zero, and an unknown version is refused, since a new
//! version may give reserved bytes a meaning. So whatever parses encodes to the same bytes, and no byte of a report is ignored.

use super::{
    bits::{GuestPolicy, PlatformInfo},
    firmware::Firmware,
    product::{Cpuid, Product},
    tcb::{Tcb, TcbVersion},
};
use crate::{Rejection, encoding::reader::Reader};

/// The only length of a report.
pub const REPORT_SIZE: usize = 0x4A0;
/// The part that the signature covers, from the first byte.
pub const SIGNED_SIZE: usize = 0x2A0;
/// The VMPL of a report that was requested by the host, not by the guest.
pub const HOST_VMPL: u32 = 0xFFFF_FFFF;
/// The versions whose layout is known. 2 has no CPUID fields; 5 added the mitigation vectors.
pub const KNOWN_VERSIONS: std::ops::RangeInclusive<u32> = 2..=5;

/// ECDSA over P-384 with SHA-384: the only signature algorithm.
const ECDSA_P384_SHA384: u32 = 1;
/// The bytes of r or s that P-384 uses, and the ones above them, which stay zero.
const SCALAR: usize = 48;
const SCALAR_PADDING: usize = 24;

/// One report. Every field except the signature is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Layout version, 2 to 5.
    pub version: u32,
    /// The guest's security version, from its ID block.
    pub guest_svn: u32,
    /// What the guest's owner allows the host.
    pub policy: GuestPolicy,
    /// From the ID block.
    pub family_id: [u8; 16],
    /// From the ID block.
    pub image_id: [u8; 16],
    /// Who asked for the report: 0 to 3, or [`HOST_VMPL`].
    pub vmpl: u32,
    /// The level of the firmware that runs now.
    pub current_tcb: TcbVersion,
    /// How the platform is configured.
    pub platform_info: PlatformInfo,
    /// `KEY_INFO`.
    pub key_info: KeyInfo,
    /// What the guest put in.
    pub report_data: [u8; 64],
    /// MEASUREMENT: what was in memory when the guest was launched.
    pub launch_digest: [u8; 48],
    /// What the host put in at launch.
    pub host_data: [u8; 32],
    /// SHA-384 of the key that signed the ID block; zero without an ID block.
    pub id_key_digest: [u8; 48],
    /// SHA-384 of the author key; meaningful only if [`KeyInfo::author_key_enabled`].
    pub author_key_digest: [u8; 48],
    /// Identifies this guest instance.
    pub report_id: [u8; 32],
    /// Identifies its migration agent; all 0xFF without one.
    pub report_id_ma: [u8; 32],
    /// The firmware level from which the signing key is derived.
    pub reported_tcb: TcbVersion,
    /// Family, model and stepping; from version 3 on.
    pub cpuid: Option<Cpuid>,
    /// Identifies the chip; zero if the host masks it.
    pub chip_id: [u8; 64],
    /// The level below which the platform cannot go back.
    pub committed_tcb: TcbVersion,
    /// The SEV firmware that runs now.
    pub current_firmware: Firmware,
    /// The committed SEV firmware.
    pub committed_firmware: Firmware,
    /// The level when this guest was launched.
    pub launch_tcb: TcbVersion,
    /// The mitigation vectors; from version 5 on.
    pub mitigations: Option<Mitigations>,
    /// Over the first [`SIGNED_SIZE`] bytes.
    pub signature: Signature,
}

/// `KEY_INFO`: which key signed, and whether it is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInfo {
    /// Whether the author key digest is meaningful.
    pub author_key_enabled: bool,
    /// Whether the host masked the chip's key.
    pub chip_key_masked: bool,
    /// The kind of key that signed.
    pub signing_key: SigningKey,
}

/// The kind of key that signed a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningKey {
    /// Versioned chip endorsement key: belongs to one chip.
    Vcek,
    /// Versioned loaded endorsement key: belongs to one cloud provider.
    Vlek,
    /// The report is not signed.
    None,
}

/// Which mitigations are in place, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mitigations {
    /// At launch.
    pub launch: u64,
    /// Now.
    pub current: u64,
}

/// An ECDSA signature over P-384, both halves big-endian. (In the report they are little-endian.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// r
    pub r: [u8; SCALAR],
    /// s
    pub s: [u8; SCALAR],
}

/// The components of one of a report's levels, by the layout of the product line.
pub(crate) fn components(level: TcbVersion, product: Product) -> Result<Tcb, Rejection> {
    let reserved = Rejection::ReportReserved { field: "TCB" };
    level.components(product).ok_or(reserved)
}

impl Report {
    /// Reads a report of exactly [`REPORT_SIZE`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let wrong_length = Rejection::ReportLength { found: bytes.len() };
        if bytes.len() != REPORT_SIZE {
            return Err(wrong_length);
        }
        let mut reader = Reader::new(bytes, wrong_length);
        let version = reader.u32()?;
        if !KNOWN_VERSIONS.contains(&version) {
            return Err(Rejection::ReportVersion { found: version });
        }
        let guest_svn = reader.u32()?;
        let policy = GuestPolicy::parse(reader.u64()?)?;
        let family_id = reader.array()?;
        let image_id = reader.array()?;
        let vmpl = parse_vmpl(reader.u32()?)?;
        let algorithm = reader.u32()?;
        if algorithm != ECDSA_P384_SHA384 {
            return Err(Rejection::ReportAlgorithm { found: algorithm });
        }
        let current_tcb = TcbVersion(reader.array()?);
        let platform_info = PlatformInfo(reader.u64()?);
        let key_info = KeyInfo::parse(reader.u32()?)?;
        zero(&reader.array::<4>()?, "0x04C")?;
        let report_data = reader.array()?;
        let launch_digest = reader.array()?;
        let host_data = reader.array()?;
        let id_key_digest = reader.array()?;
        let author_key_digest = reader.array()?;
        let report_id = reader.array()?;
        let report_id_ma = reader.array()?;
        let reported_tcb = TcbVersion(reader.array()?);
        let cpuid = parse_cpuid(version, reader.array()?)?;
        zero(&reader.array::<21>()?, "0x18B")?;
        let chip_id = reader.array()?;
        let committed_tcb = TcbVersion(reader.array()?);
        let current_firmware = parse_firmware(reader.array()?, "0x1EB")?;
        let committed_firmware = parse_firmware(reader.array()?, "0x1EF")?;
        let launch_tcb = TcbVersion(reader.array()?);
        let mitigations = parse_mitigations(version, reader.u64()?, reader.u64()?)?;
        zero(&reader.array::<152>()?, "0x208")?;
        let r = parse_scalar(reader.array()?, reader.array()?, "SIGNATURE.R")?;
        let s = parse_scalar(reader.array()?, reader.array()?, "SIGNATURE.S")?;
        zero(&reader.array::<368>()?, "0x330")?;
        Ok(Self {
            version,
            guest_svn,
            policy,
            family_id,
            image_id,
            vmpl,
            current_tcb,
            platform_info,
            key_info,
            report_data,
            launch_digest,
            host_data,
            id_key_digest,
            author_key_digest,
            report_id,
            report_id_ma,
            reported_tcb,
            cpuid,
            chip_id,
            committed_tcb,
            current_firmware,
            committed_firmware,
            launch_tcb,
            mitigations,
            signature: Signature { r, s },
        })
    }

    /// Writes the layout, signature included. To sign, encode with any signature first, sign the first [`SIGNED_SIZE`] bytes, and
    /// encode again.
    pub fn encode(&self) -> [u8; REPORT_SIZE] {
        let cpuid = self
            .cpuid
            .map_or([0; 3], |cpuid| [cpuid.family, cpuid.model, cpuid.stepping]);
        let mitigations = self.mitigations.unwrap_or(Mitigations {
            launch: 0,
            current: 0,
        });
        let fields: [&[u8]; 34] = [
            &self.version.to_le_bytes(),
            &self.guest_svn.to_le_bytes(),
            &self.policy.0.to_le_bytes(),
            &self.family_id,
            &self.image_id,
            &self.vmpl.to_le_bytes(),
            &ECDSA_P384_SHA384.to_le_bytes(),
            &self.current_tcb.0,
            &self.platform_info.0.to_le_bytes(),
            &self.key_info.encode().to_le_bytes(),
            &[0; 4],
            &self.report_data,
            &self.launch_digest,
            &self.host_data,
            &self.id_key_digest,
            &self.author_key_digest,
            &self.report_id,
            &self.report_id_ma,
            &self.reported_tcb.0,
            &cpuid,
            &[0; 21],
            &self.chip_id,
            &self.committed_tcb.0,
            &self.current_firmware.encode(),
            &self.committed_firmware.encode(),
            &self.launch_tcb.0,
            &mitigations.launch.to_le_bytes(),
            &mitigations.current.to_le_bytes(),
            &[0; 152],
            &little_endian(self.signature.r),
            &[0; SCALAR_PADDING],
            &little_endian(self.signature.s),
            &[0; SCALAR_PADDING],
            &[0; 368],
        ];
        let bytes = fields.concat();
        <[u8; REPORT_SIZE]>::try_from(bytes).expect("the fields above make up the whole layout")
    }
}

impl KeyInfo {
    fn parse(word: u32) -> Result<Self, Rejection> {
        let signing_key = match (word >> 2) & 0b111 {
            0 => SigningKey::Vcek,
            1 => SigningKey::Vlek,
            7 => SigningKey::None,
            _ => {
                return Err(Rejection::ReportReserved {
                    field: "SIGNING_KEY",
                });
            }
        };
        if word >> 5 != 0 {
            return Err(Rejection::ReportReserved { field: "KEY_INFO" });
        }
        Ok(Self {
            author_key_enabled: word & 1 != 0,
            chip_key_masked: word & 2 != 0,
            signing_key,
        })
    }

    fn encode(self) -> u32 {
        let signing_key = match self.signing_key {
            SigningKey::Vcek => 0,
            SigningKey::Vlek => 1,
            SigningKey::None => 7,
        };
        u32::from(self.author_key_enabled) | u32::from(self.chip_key_masked) << 1 | signing_key << 2
    }
}

fn zero(bytes: &[u8], field: &'static str) -> Result<(), Rejection> {
    if bytes.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(Rejection::ReportReserved { field })
    }
}

fn parse_vmpl(vmpl: u32) -> Result<u32, Rejection> {
    match vmpl {
        0..=3 | HOST_VMPL => Ok(vmpl),
        _ => Err(Rejection::ReportReserved { field: "VMPL" }),
    }
}

fn parse_cpuid(version: u32, bytes: [u8; 3]) -> Result<Option<Cpuid>, Rejection> {
    if version < 3 {
        return zero(&bytes, "CPUID").map(|()| None);
    }
    let [family, model, stepping] = bytes;
    Ok(Some(Cpuid {
        family,
        model,
        stepping,
    }))
}

fn parse_firmware(bytes: [u8; 4], reserved_at: &'static str) -> Result<Firmware, Rejection> {
    let [build, minor, major, reserved] = bytes;
    zero(&[reserved], reserved_at)?;
    Ok(Firmware {
        major,
        minor,
        build,
    })
}

fn parse_mitigations(
    version: u32,
    launch: u64,
    current: u64,
) -> Result<Option<Mitigations>, Rejection> {
    if version >= 5 {
        return Ok(Some(Mitigations { launch, current }));
    }
    match launch | current {
        0 => Ok(None),
        _ => Err(Rejection::ReportReserved {
            field: "MIT_VECTOR",
        }),
    }
}

fn parse_scalar(
    scalar: [u8; SCALAR],
    padding: [u8; SCALAR_PADDING],
    field: &'static str,
) -> Result<[u8; SCALAR], Rejection> {
    zero(&padding, field)?;
    Ok(little_endian(scalar))
}

/// From big-endian to little-endian, or back.
fn little_endian(mut scalar: [u8; SCALAR]) -> [u8; SCALAR] {
    scalar.reverse();
    scalar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_without_cpuid_says_nothing_there() {
        let refused = Err(Rejection::ReportReserved { field: "CPUID" });
        assert_eq!(parse_cpuid(2, [0, 0, 1]), refused);
        assert_eq!(parse_cpuid(2, [0; 3]), Ok(None));
        assert!(parse_cpuid(3, [0, 0, 1]).is_ok_and(|cpuid| cpuid.is_some()));
    }
}
