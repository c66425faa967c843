//! A device's certificates, from the key that signs reports up to the pinned root, and the firmware that the key is bound to.
//!
//! ```text
//! leaf (FMC) ← device identity (BROM) ← provisioner ← chip family ← NVIDIA Device Identity CA
//! ```
//!
//! The same root certifies GPUs and the switches between them; the leaf's name says which of the two a device is.
//!
//! Only the root is trusted; the four others must be shown to descend from it.

use std::sync::Arc;

use x509_parser::{der_parser::oid, oid_registry::Oid};

use super::{
    certificate::{Certificate, Signatures},
    kind::{Architecture, Device, Pdi},
    roots::{NvidiaRoots, Purpose},
};
use crate::encoding::der::{Der, tag};
use crate::{Memory, Rejection, Time, encoding::digest::Hex};

/// A device's chain has exactly this many certificates.
pub const CHAIN_LENGTH: usize = 5;

/// 2.16.840.1.101.3.4.2.2
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
/// The certificates' names in messages, leaf first.
const NAMES: [&str; CHAIN_LENGTH] = [
    "device leaf",
    "device identity (BROM)",
    "device provisioner",
    "device family",
    "device root",
];

/// What a verifier remembers of a device's certificates.
const CHAIN: &str = "device chain";

/// A chain that descends from an accepted root.
#[derive(Debug)]
pub(crate) struct DeviceChain {
    certificates: Arc<Certificates>,
    pub(crate) device: Device,
    /// The chip: `GH100`.
    pub(crate) chip: String,
    /// Whether the root simulates NVIDIA's.
    pub(crate) simulated: bool,
    /// When the first of its certificates expires.
    pub(crate) until: Time,
}

/// Leaf first.
type Certificates = [Certificate; CHAIN_LENGTH];

impl DeviceChain {
    /// Verifies certificates in DER, leaf first. The root in the chain is only compared with the pinned one.
    pub(crate) fn verify(
        der: &[Vec<u8>],
        roots: &NvidiaRoots,
        now: Time,
        signatures: &mut Signatures,
    ) -> Result<Self, Rejection> {
        let known = signatures.memory().recall(CHAIN, der);
        let is_known = known.is_some();
        let certificates = known.map_or_else(|| read(der).map(Arc::new), Ok)?;
        let [leaf, identity, .., root] = &*certificates;
        let simulated = roots.admit(Purpose::Device, root)?;
        let (device, chip) = check_names(&certificates)?;
        check_periods(&*certificates, now)?;
        // What is remembered has passed this, and always will.
        if !is_known {
            check_links(&*certificates, signatures)?;
            // The leaf and its issuer live on the device; no other key may sign for it.
            leaf.check_end_entity()?;
            identity.check_authority(0)?;
            signatures.memory().keep(CHAIN, der, &certificates);
        }
        Ok(Self {
            until: first_end(&*certificates),
            certificates,
            device,
            chip,
            simulated,
        })
    }

    pub(crate) fn leaf(&self) -> &Certificate {
        let [leaf, ..] = &*self.certificates;
        leaf
    }

    /// The model, as named in the device's own certificate: `GH100 A01 GSP BROM`.
    pub(crate) fn model(&self) -> String {
        let [_, identity, ..] = &*self.certificates;
        identity.common_name().to_owned()
    }

    /// The device itself, independent of its firmware: its identity certificate's serial number in hex.
    pub(crate) fn identity(&self) -> String {
        let [_, identity, ..] = &*self.certificates;
        hex::encode_upper(identity.serial())
    }

    /// Its name on the fabric, if NVIDIA certified one: a byte for its kind, then the eight bytes of the name.
    pub(crate) fn pdi(&self) -> Option<Pdi> {
        let [_, identity, ..] = &*self.certificates;
        let [_kind, pdi @ ..]: [u8; 9] = identity.serial().try_into().ok()?;
        Some(Hex(pdi))
    }

    /// The certificates that NVIDIA's responder knows, each with its issuer. The leaf is made on the device; the root is pinned.
    pub(crate) fn revocable(&self) -> [(&Certificate, &Certificate); 3] {
        let [_, identity, provisioner, family, root] = &*self.certificates;
        [
            (identity, provisioner),
            (provisioner, family),
            (family, root),
        ]
    }

    /// Checks that the key was certified for the firmware that the report names.
    pub(crate) fn check_fwid(&self, reported: Option<[u8; 48]>) -> Result<[u8; 48], Rejection> {
        let certified = fwid(self.leaf())?;
        match reported {
            None => Err(Rejection::GpuFwidMissing),
            Some(reported) if reported == certified => Ok(certified),
            Some(reported) => Err(Rejection::GpuFwidMismatch {
                found: Hex(reported),
            }),
        }
    }
}

fn read(der: &[Vec<u8>]) -> Result<Certificates, Rejection> {
    let der: &[Vec<u8>; CHAIN_LENGTH] = der
        .try_into()
        .map_err(|_| Rejection::GpuChainLength { found: der.len() })?;
    let [leaf, identity, provisioner, family, root] = der;
    Ok([
        Certificate::parse(leaf, NAMES[0])?,
        Certificate::parse(identity, NAMES[1])?,
        Certificate::parse(provisioner, NAMES[2])?,
        Certificate::parse(family, NAMES[3])?,
        Certificate::parse(root, NAMES[4])?,
    ])
}

/// Checks that each of these is valid at this time.
pub(crate) fn check_periods(certificates: &[Certificate], now: Time) -> Result<(), Rejection> {
    for certificate in certificates {
        certificate.check_valid_at(now)?;
    }
    Ok(())
}

/// Checks signatures, names and authority from the leaf up to the root, whose own signature would prove nothing: facts about bytes, no
/// matter when and under which roots.
pub(crate) fn check_links(
    certificates: &[Certificate],
    signatures: &mut Signatures,
) -> Result<(), Rejection> {
    for (certificate, issuer) in certificates.iter().zip(certificates.iter().skip(1)) {
        certificate.check_issued_by(issuer, signatures)?;
    }
    for (issuer, below) in certificates.iter().skip(1).zip(0..) {
        issuer.check_authority(below)?;
    }
    Ok(())
}

/// When the first of these expires.
pub(crate) fn first_end(certificates: &[Certificate]) -> Time {
    certificates
        .iter()
        .map(Certificate::until)
        .min()
        .unwrap_or(Time(i64::MIN))
}

/// What a device claims, used to decide what to fetch, how to read its report and whether it was counted before. Nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// What it is; `Err`: something unknown.
    pub(crate) device: Result<Device, Rejection>,
    /// Its leaf's serial number in decimal, NVIDIA's ueid.
    pub(crate) ueid: String,
}

impl Claimed {
    /// Reads a chain's leaf, or recalls it.
    pub(crate) fn by(der: &[Vec<u8>], memory: &Memory) -> Result<Self, Rejection> {
        if let Some([leaf, ..]) = memory.recall::<Certificates>(CHAIN, der).as_deref() {
            return Ok(Self::of(leaf));
        }
        let leaf = der.first().ok_or(Rejection::GpuChainLength { found: 0 })?;
        Certificate::parse(leaf, NAMES[0]).map(|leaf| Self::of(&leaf))
    }

    fn of(leaf: &Certificate) -> Self {
        let device = Stem::of(leaf).and_then(|stem| stem.device());
        Self {
            device: device.ok_or_else(|| unknown(leaf)),
            ueid: leaf.serial_decimal(),
        }
    }
}

/// What a leaf's name says: `GH100 A01 GSP FMC LF`.
struct Stem<'c> {
    /// `GH100`
    chip: &'c str,
    /// `GH100 A01`
    chip_and_stepping: &'c str,
    /// The chip's processor that signs reports: a GPU's `GSP`, a switch's `FSP`.
    processor: &'c str,
}

impl<'c> Stem<'c> {
    fn of(leaf: &'c Certificate) -> Option<Self> {
        let stem = leaf.common_name().strip_suffix(" FMC LF")?;
        let (chip_and_stepping, processor) = stem.rsplit_once(' ')?;
        let (chip, _stepping) = chip_and_stepping.split_once(' ')?;
        Some(Self {
            chip,
            chip_and_stepping,
            processor,
        })
    }

    fn device(&self) -> Option<Device> {
        match (self.processor, self.chip) {
            ("GSP", "GH100") => Some(Device::Gpu(Architecture::Hopper)),
            ("GSP", chip) if is_blackwell(chip) => Some(Device::Gpu(Architecture::Blackwell)),
            ("FSP", "LS_10") => Some(Device::Switch),
            _ => None,
        }
    }
}

fn unknown(leaf: &Certificate) -> Rejection {
    Rejection::GpuArchitectureUnknown {
        found: leaf.subject_name().to_string(),
    }
}

/// Checks that all certificates below the root name one chip; a switch's family is that of the GPUs that it connects.
fn check_names(certificates: &Certificates) -> Result<(Device, String), Rejection> {
    let [leaf, identity, provisioner, family, _] = certificates;
    let stem = Stem::of(leaf).ok_or_else(|| unknown(leaf))?;
    let device = stem.device().ok_or_else(|| unknown(leaf))?;
    let Stem {
        chip,
        chip_and_stepping,
        processor,
    } = stem;
    if identity.common_name() != format!("{chip_and_stepping} {processor} BROM") {
        return Err(identity.refuse("belongs to a different chip than the leaf"));
    }
    let named = between(provisioner.common_name(), "NVIDIA ", " Provisioner ICA ");
    if !named.is_some_and(|named| is_kin(named, chip)) {
        return Err(provisioner.refuse("belongs to a different chip than the leaf"));
    }
    let family_chip = match device {
        Device::Gpu(_) => chip,
        Device::Switch => "GH100",
    };
    let named = family.common_name().strip_prefix("NVIDIA ");
    let named = named.and_then(|name| name.strip_suffix(" Identity"));
    if !named.is_some_and(|named| is_kin(named, family_chip)) {
        return Err(family.refuse("belongs to a different chip than the leaf"));
    }
    Ok((device, chip.to_owned()))
}

/// The part between two texts, the first of which begins the name.
fn between<'n>(name: &'n str, before: &str, after: &str) -> Option<&'n str> {
    name.strip_prefix(before)?
        .split_once(after)
        .map(|(between, _)| between)
}

/// Whether two names belong to one chip: they are the same, or one is a family of Blackwell chips that includes the other. RTX PRO
/// 6000 has certificates that name GB20X, below one that names GB202.
pub(crate) fn is_kin(one: &str, other: &str) -> bool {
    let family = |chip: &'_ str| {
        chip.get(..FAMILY_LENGTH)
            .filter(|_| is_blackwell(chip))
            .map(str::to_owned)
    };
    let is_family = |chip: &str| chip.ends_with('X');
    one == other
        || (is_family(one) || is_family(other))
            && family(one).is_some()
            && family(one) == family(other)
}

/// `GB20` of `GB202`, and of `GB20X`.
const FAMILY_LENGTH: usize = 4;

/// GB and three digits, the last of which is X for a whole family.
fn is_blackwell(chip: &str) -> bool {
    let digits = chip.strip_prefix("GB").unwrap_or_default().as_bytes();
    matches!(digits, [a, b, c] if a.is_ascii_digit() && b.is_ascii_digit() && (c.is_ascii_digit() || *c == b'X'))
}

/// The firmware that a leaf's key is bound to.
fn fwid(leaf: &Certificate) -> Result<[u8; 48], Rejection> {
    // TCG: a composite device identity (Hopper), and DICE's TcbInfo (Blackwell).
    const COMPOSITE: Oid<'_> = oid!(2.23.133.5.4.1);
    const TCB_INFO: Oid<'_> = oid!(2.23.133.5.4.1.1);
    let found = match (leaf.extension(&COMPOSITE), leaf.extension(&TCB_INFO)) {
        (Some(value), None) => composite_fwid(value),
        (None, Some(value)) => tcb_info_fwid(value),
        _ => None,
    };
    found.ok_or_else(|| leaf.refuse("does not name one firmware (FWID)"))
}

/// `SEQUENCE { version, public key, FWID }`
fn composite_fwid(value: &[u8]) -> Option<[u8; 48]> {
    let mut outer = Der::new(value);
    let mut fields = outer.enter(tag::SEQUENCE)?;
    outer.end()?;
    fields.take(tag::INTEGER)?;
    fields.take(tag::SEQUENCE)?;
    let digest = sha384_fwid(fields.enter(tag::SEQUENCE)?)?;
    fields.end()?;
    Some(digest)
}

/// `SEQUENCE { …, fwids [6] SEQUENCE OF FWID, … }`: the first is the firmware that holds the key.
fn tcb_info_fwid(value: &[u8]) -> Option<[u8; 48]> {
    let mut outer = Der::new(value);
    let mut fields = outer.enter(tag::SEQUENCE)?;
    outer.end()?;
    while let Some(field) = fields.any() {
        if field.tag == tag::context(6) {
            return sha384_fwid(Der::new(field.content).enter(tag::SEQUENCE)?);
        }
    }
    None
}

/// `SEQUENCE { algorithm, digest }`
fn sha384_fwid(mut fields: Der<'_>) -> Option<[u8; 48]> {
    let algorithm = fields.take(tag::OID)?;
    let digest = fields.take(tag::OCTET_STRING)?.try_into().ok()?;
    fields.end()?;
    (algorithm == SHA384).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blackwell_chips_are_gb_and_three_digits_or_a_family() {
        for chip in ["GB100", "GB102", "GB202", "GB20X", "GB10X"] {
            assert!(is_blackwell(chip), "{chip}");
        }
        for chip in [
            "GH100", "GH10X", "GB1", "GB1XX", "GBX", "GB20x", "GB1000", "GB20X0", "LS_10",
        ] {
            assert!(!is_blackwell(chip), "{chip}");
        }
    }

    #[test]
    fn a_family_is_kin_to_its_chips_alone() {
        for (one, other) in [
            ("GB202", "GB202"),
            ("GB20X", "GB202"),
            ("GB202", "GB20X"),
            ("GB20X", "GB20X"),
            ("GH100", "GH100"),
        ] {
            assert!(is_kin(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("GB202", "GB203"),
            ("GB10X", "GB202"),
            ("GB20X", "GB10X"),
            ("GB20X", "GB102"),
            ("GB20X", "GH100"),
            ("GH10X", "GH100"),
            ("GB20X", "GB20"),
            ("GB20X", ""),
        ] {
            assert!(!is_kin(one, other), "{one} {other}");
        }
    }
}
