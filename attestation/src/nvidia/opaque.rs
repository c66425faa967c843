//! The report's opaque data: what the device says about itself besides its measurements.
//!
//! Two layouts. Up to version 1: type, length, value. Version 2, from drivers of CUDA 13.5 and later: a header (`NVDAOD`, profile,
//! version), then type, value type, length, value. NVIDIA's specification "Opaque Data Format" describes both.
//!
//! Nothing here may be trusted before the report's signature has been checked. Unknown types decide nothing, since firmware adds new
//! ones: they are kept for display. A field that this verifier reads may appear only once, and so may a level.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    kind::Pdi,
    version::{DriverVersion, VbiosVersion},
};
use crate::{Rejection, encoding::digest::Hex};

/// The newest version of the layout without a header.
const MAX_VERSION: u16 = 1;
/// The beginning of the header.
const MAGIC: &[u8; 6] = b"NVDAOD";
/// The only profile of the layout with a header.
const PROFILE: u16 = 0;
/// Its only major version. Minor versions and patches add what older verifiers may skip.
const MAJOR: u8 = 2;
/// The value type of a security version number: an unsigned number, little-endian.
const SVN: u16 = 0x87;
/// How many entries are kept for display; real reports have fewer than five.
const MAX_OTHERS: usize = 32;
const ENABLED: u8 = 0xAA;
const DISABLED: u8 = 0x55;
/// The most switches: a GPU has a link for each.
const MAX_LINKS: usize = 18;
/// A switch names this many GPUs, and then says which port leads to which.
const GPUS_OF_A_SWITCH: usize = 8;
const SWITCH_GPUS_SIZE: usize = 128;
/// The name at a link that leads nowhere.
const NOBODY: Pdi = Hex([0; 8]);
/// The maximum length of a name or number in here.
const MAX_TEXT_SIZE: usize = 64;

/// The part of the opaque data that matters for verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// The version of the kernel driver in the guest.
    pub driver: DriverVersion,
    /// The version of the firmware on the board.
    pub vbios: VbiosVersion,
    /// Part of the VBIOS RIM's id.
    pub project: String,
    /// Part of the VBIOS RIM's id.
    pub project_sku: String,
    /// Part of the VBIOS RIM's id.
    pub chip_sku: String,
    /// Blackwell's chip, such as `GB100`; Hopper does not say.
    pub chip: Option<String>,
    /// Whether the first video decoder is on. Index 35 belongs to it, and is compared only then.
    pub nvdec0: Option<bool>,
    /// The firmware that the device's key was certified for; firmware from 2023 does not report it.
    pub fwid: Option<[u8; 48]>,
    /// How the GPU shares its memory.
    pub mode: Mode,
    /// The switches that its links lead to; empty if it does not report links.
    pub switches: BTreeSet<Pdi>,
    /// Security version numbers, by their type: what a manifest's floors are compared with. Version 2 of the layout.
    pub levels: BTreeMap<u16, u64>,
    /// Entries of unknown types, in order. They decide nothing.
    pub others: Vec<Entry>,
}

/// An entry as the device wrote it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// Its type.
    pub kind: u16,
    /// How to read its value; layouts before version 2 do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_type: Option<u16>,
    /// Its value.
    #[serde(serialize_with = "hex_text")]
    pub value: Vec<u8>,
}

fn hex_text<S: serde::Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(value))
}

/// The part of a switch's opaque data that matters for verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchOpaque {
    /// Its firmware: `96.10.55.00.01`.
    pub firmware: String,
    /// Its identity on the fabric.
    pub pdi: Pdi,
    /// The GPUs that its ports lead to.
    pub gpus: BTreeSet<Pdi>,
    /// Whether its configuration is locked until a reset: 1, as switches in protected-PCIe mode report.
    pub lock: u16,
    /// The firmware that its key was certified for, if it reports it; firmware from 2025 does not.
    pub fwid: Option<[u8; 48]>,
    /// As for a GPU.
    pub levels: BTreeMap<u16, u64>,
    /// As for a GPU.
    pub others: Vec<Entry>,
}

/// How a GPU is passed through to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Alone.
    SinglePassthrough,
    /// With others, over encrypted links.
    MultiPassthrough,
    /// With others, over switches whose links are not encrypted but whose switches are attested.
    ProtectedPcie,
    /// The firmware does not say; it is not [`Self::ProtectedPcie`].
    Unstated,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SinglePassthrough => "single_passthrough",
            Self::MultiPassthrough => "multi_passthrough",
            Self::ProtectedPcie => "protected_pcie",
            Self::Unstated => "unstated",
        })
    }
}

/// The fields that this verifier reads, still as bytes.
#[derive(Default)]
struct Fields<'a> {
    driver: Option<&'a [u8]>,
    vbios: Option<&'a [u8]>,
    nvdec0: Option<&'a [u8]>,
    chip_sku: Option<&'a [u8]>,
    project: Option<&'a [u8]>,
    project_sku: Option<&'a [u8]>,
    fwid: Option<&'a [u8]>,
    protected_pcie: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    chip: Option<&'a [u8]>,
    feature: Option<&'a [u8]>,
    pdi: Option<&'a [u8]>,
    lock: Option<&'a [u8]>,
    switch_gpus: Option<&'a [u8]>,
    levels: BTreeMap<u16, u64>,
    others: Vec<Entry>,
}

/// One entry, still as bytes.
struct Raw<'a> {
    kind: u16,
    value_type: Option<u16>,
    value: &'a [u8],
}

impl<'a> Raw<'a> {
    /// The first entry, and what follows it.
    fn take(bytes: &'a [u8], has_header: bool) -> Option<(Self, &'a [u8])> {
        let number = |bytes: &'a [u8]| {
            let (number, rest) = bytes.split_first_chunk()?;
            Some((u16::from_le_bytes(*number), rest))
        };
        let (kind, rest) = number(bytes)?;
        let (value_type, rest) = if has_header {
            number(rest).map(|(found, rest)| (Some(found), rest))?
        } else {
            (None, rest)
        };
        let (size, rest) = number(rest)?;
        let (value, rest) = rest.split_at_checked(usize::from(size))?;
        let entry = Self {
            kind,
            value_type,
            value,
        };
        Some((entry, rest))
    }

    fn to_owned(&self) -> Entry {
        Entry {
            kind: self.kind,
            value_type: self.value_type,
            value: self.value.to_vec(),
        }
    }

    /// Its value as a number, if it is a security version number.
    fn level(&self) -> Option<Result<u64, Rejection>> {
        if self.value_type != Some(SVN) {
            return None;
        }
        let number = (1..=8).contains(&self.value.len()).then(|| {
            let bytes = self.value.iter().rev();
            bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
        });
        Some(number.ok_or(malformed("a security version number")))
    }
}

/// The entries behind a header, if there is one, whose profile and version are known.
fn after_header(bytes: &[u8]) -> Result<Option<&[u8]>, Rejection> {
    let Some(header) = bytes.strip_prefix(MAGIC) else {
        return Ok(None);
    };
    let ([a, b, major, _minor, _patch, _padding], entries) =
        header.split_first_chunk().ok_or(malformed("its header"))?;
    let found = u16::from_le_bytes([*a, *b]);
    if found != PROFILE {
        return Err(Rejection::GpuOpaqueProfile { found });
    }
    if *major != MAJOR {
        return Err(Rejection::GpuOpaqueVersion {
            found: u16::from(*major),
        });
    }
    Ok(Some(entries))
}

impl<'a> Fields<'a> {
    fn slot(&mut self, kind: u16) -> Option<(&'static str, &mut Option<&'a [u8]>)> {
        Some(match kind {
            3 => ("DRIVER_VERSION", &mut self.driver),
            6 => ("VBIOS_VERSION", &mut self.vbios),
            11 => ("NVDEC0_STATUS", &mut self.nvdec0),
            15 => ("CHIP_SKU", &mut self.chip_sku),
            17 => ("PROJECT", &mut self.project),
            18 => ("PROJECT_SKU", &mut self.project_sku),
            20 => ("FWID", &mut self.fwid),
            21 => ("PROTECTED_PCIE_STATUS", &mut self.protected_pcie),
            22 => ("SWITCH_PDI", &mut self.pdi),
            25 => ("LOCK_SWITCH_STATUS", &mut self.lock),
            26 => ("SWITCH_GPU_PDIS", &mut self.switch_gpus),
            34 => ("OPAQUE_DATA_VERSION", &mut self.version),
            35 => ("CHIP_INFO", &mut self.chip),
            36 => ("FEATURE_FLAG", &mut self.feature),
            _ => return None,
        })
    }

    fn read(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let entries = after_header(bytes)?;
        let has_header = entries.is_some();
        let mut rest = entries.unwrap_or(bytes);
        let mut fields = Self::default();
        while !rest.is_empty() {
            let (entry, after) =
                Raw::take(rest, has_header).ok_or(malformed("a field's length"))?;
            rest = after;
            fields.keep(&entry)?;
        }
        if !has_header {
            let version = fields.version.map(|it| array(it, "OPAQUE_DATA_VERSION"));
            let found = version.transpose()?.map_or(0, u16::from_le_bytes);
            if found > MAX_VERSION {
                return Err(Rejection::GpuOpaqueVersion { found });
            }
        }
        Ok(fields)
    }

    fn keep(&mut self, entry: &Raw<'a>) -> Result<(), Rejection> {
        if let Some(level) = entry.level() {
            return match self.levels.insert(entry.kind, level?) {
                None => Ok(()),
                Some(_) => Err(Rejection::GpuOpaqueDuplicate {
                    field: "a security version number",
                }),
            };
        }
        if let Some((field, slot)) = self.slot(entry.kind) {
            return match slot.replace(entry.value) {
                None => Ok(()),
                Some(_) => Err(Rejection::GpuOpaqueDuplicate { field }),
            };
        }
        if !KNOWN_BUT_UNREAD.contains(&entry.kind) && self.others.len() < MAX_OTHERS {
            self.others.push(entry.to_owned());
        }
        Ok(())
    }
}

/// Types that NVIDIA's specification defines and that decide nothing here: board, counters, links.
const KNOWN_BUT_UNREAD: [u16; 17] = [1, 2, 4, 5, 7, 8, 9, 10, 12, 13, 14, 16, 19, 23, 24, 32, 33];

impl Opaque {
    /// Reads all of it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let fields = Fields::read(bytes)?;
        let driver = text(required(fields.driver, "DRIVER_VERSION")?, "DRIVER_VERSION")?;
        let vbios = array(required(fields.vbios, "VBIOS_VERSION")?, "VBIOS_VERSION")?;
        Ok(Self {
            driver: DriverVersion::parse(&driver).ok_or(malformed("DRIVER_VERSION"))?,
            vbios: VbiosVersion::from_report(vbios),
            project: text(required(fields.project, "PROJECT")?, "PROJECT")?,
            project_sku: text(required(fields.project_sku, "PROJECT_SKU")?, "PROJECT_SKU")?,
            chip_sku: text(required(fields.chip_sku, "CHIP_SKU")?, "CHIP_SKU")?,
            chip: fields.chip.map(|it| text(it, "CHIP_INFO")).transpose()?,
            nvdec0: fields
                .nvdec0
                .map(|it| switch(it, "NVDEC0_STATUS"))
                .transpose()?,
            fwid: fields.fwid.map(|it| array(it, "FWID")).transpose()?,
            mode: mode(fields.feature, fields.protected_pcie)?,
            switches: fields.pdi.map(switches).transpose()?.unwrap_or_default(),
            levels: fields.levels,
            others: fields.others,
        })
    }
}

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "driver {}, VBIOS {}", self.driver, self.vbios)
    }
}

impl fmt::Display for SwitchOpaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "switch {}, firmware {}", self.pdi, self.firmware)
    }
}

impl SwitchOpaque {
    /// Reads all of it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let fields = Fields::read(bytes)?;
        let pdi = required(fields.pdi, "SWITCH_PDI")?;
        let lock = required(fields.lock, "LOCK_SWITCH_STATUS")?;
        let gpus = required(fields.switch_gpus, "SWITCH_GPU_PDIS")?;
        Ok(Self {
            firmware: text(required(fields.vbios, "VBIOS_VERSION")?, "VBIOS_VERSION")?,
            pdi: Hex(array(pdi, "SWITCH_PDI")?),
            gpus: array::<SWITCH_GPUS_SIZE>(gpus, "SWITCH_GPU_PDIS")
                .map(|field| somebodies(pdis(&field).take(GPUS_OF_A_SWITCH)))?,
            lock: u16::from_le_bytes(array(lock, "LOCK_SWITCH_STATUS")?),
            fwid: fields.fwid.map(|it| array(it, "FWID")).transpose()?,
            levels: fields.levels,
            others: fields.others,
        })
    }
}

/// A GPU names the switch at each of its links, in the opposite byte order from the switches' own names.
fn switches(field: &[u8]) -> Result<BTreeSet<Pdi>, Rejection> {
    if !field.len().is_multiple_of(8) || field.len() > MAX_LINKS * 8 {
        return Err(malformed("SWITCH_PDI"));
    }
    let turned = pdis(field).map(|Hex(mut pdi)| {
        pdi.reverse();
        Hex(pdi)
    });
    Ok(somebodies(turned))
}

fn pdis(field: &[u8]) -> impl Iterator<Item = Pdi> {
    let (pdis, _rest) = field.as_chunks();
    pdis.iter().copied().map(Hex)
}

/// Without the links that lead nowhere.
fn somebodies(pdis: impl Iterator<Item = Pdi>) -> BTreeSet<Pdi> {
    pdis.filter(|pdi| *pdi != NOBODY).collect()
}

/// Firmware reports it by a flag since 2025, by a switch since 2024, and not at all before; if both are present, they must agree.
fn mode(feature: Option<&[u8]>, protected_pcie: Option<&[u8]>) -> Result<Mode, Rejection> {
    let protected = protected_pcie
        .map(|it| switch(it, "PROTECTED_PCIE_STATUS"))
        .transpose()?;
    let feature = feature
        .map(|it| array(it, "FEATURE_FLAG"))
        .transpose()?
        .map(u16::from_le_bytes);
    match (feature, protected) {
        (Some(0), Some(false) | None) => Ok(Mode::SinglePassthrough),
        (Some(1), Some(false) | None) => Ok(Mode::MultiPassthrough),
        (Some(2), Some(true) | None) | (None, Some(true)) => Ok(Mode::ProtectedPcie),
        (None, Some(false) | None) => Ok(Mode::Unstated),
        (Some(_), _) => Err(malformed("FEATURE_FLAG")),
    }
}

fn malformed(field: &'static str) -> Rejection {
    Rejection::GpuOpaqueMalformed { field }
}

fn required<'a>(value: Option<&'a [u8]>, field: &'static str) -> Result<&'a [u8], Rejection> {
    value.ok_or(Rejection::GpuOpaqueMissing { field })
}

fn array<const N: usize>(value: &[u8], field: &'static str) -> Result<[u8; N], Rejection> {
    value.try_into().map_err(|_| malformed(field))
}

fn switch(value: &[u8], field: &'static str) -> Result<bool, Rejection> {
    match value {
        [ENABLED] => Ok(true),
        [DISABLED] => Ok(false),
        _ => Err(malformed(field)),
    }
}

/// Letters, digits, dots and similar characters, padded with NUL to a fixed size.
fn text(value: &[u8], field: &'static str) -> Result<String, Rejection> {
    let end = value
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(value.len());
    let (text, padding) = value.split_at(end);
    let printable = text
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    if text.is_empty()
        || text.len() > MAX_TEXT_SIZE
        || !printable
        || padding.iter().any(|byte| *byte != 0)
    {
        return Err(malformed(field));
    }
    Ok(text.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: u16, value: &[u8]) -> Vec<u8> {
        let size = u16::try_from(value.len()).expect("small");
        [&kind.to_le_bytes()[..], &size.to_le_bytes(), value].concat()
    }

    fn complete() -> Vec<u8> {
        [
            field(3, b"550.90.07\0"),
            field(6, &[0x00, 0x9f, 0x00, 0x96, 0x01, 0, 0, 0]),
            field(15, b"882\0\0\0\0\0\0"),
            field(17, b"1010\0"),
            field(18, b"0200\0"),
        ]
        .concat()
    }

    #[test]
    fn reads_the_versions() {
        let opaque = Opaque::parse(&complete()).expect("complete");
        assert_eq!(opaque.driver.to_string(), "550.90.07");
        assert_eq!(opaque.vbios.to_string(), "96.00.9F.00.01");
        assert_eq!(opaque.chip_sku, "882");
        assert_eq!(
            (opaque.fwid, opaque.nvdec0, opaque.mode),
            (None, None, Mode::Unstated)
        );
    }

    #[test]
    fn keeps_types_that_it_does_not_know_and_rests_nothing_on_them() {
        let bytes = [
            complete(),
            field(4242, b"x"),
            field(12, b"z"),
            field(4242, b"y"),
        ]
        .concat();
        let opaque = Opaque::parse(&bytes).expect("complete");
        let kept = |value: &[u8]| Entry {
            kind: 4242,
            value_type: None,
            value: value.to_vec(),
        };
        assert_eq!(opaque.others, [kept(b"x"), kept(b"y")]);
        let many = [complete(), field(4242, b"").repeat(MAX_OTHERS + 1)].concat();
        assert_eq!(
            Opaque::parse(&many).map(|it| it.others.len()),
            Ok(MAX_OTHERS)
        );
    }

    /// An entry of the layout with a header.
    fn entry(kind: u16, value_type: u16, value: &[u8]) -> Vec<u8> {
        let size = u16::try_from(value.len()).expect("small");
        [
            &kind.to_le_bytes()[..],
            &value_type.to_le_bytes(),
            &size.to_le_bytes(),
            value,
        ]
        .concat()
    }

    fn header(profile: u16, version: [u8; 4]) -> Vec<u8> {
        [&MAGIC[..], &profile.to_le_bytes(), &version].concat()
    }

    /// As a driver of CUDA 13.5 writes it: the value types are those of the public capture in NVIDIA's own tests.
    fn versioned() -> Vec<u8> {
        [
            header(0, [2, 0, 0, 0]),
            entry(6, 0x86, &[0x00, 0xd9, 0x00, 0x96, 0x0f, 0, 0, 0]),
            entry(14, 0x82, &[0, 4, 3, 5]),
            entry(15, 0x82, b"884\0\0\0\0\0\0"),
            entry(17, 0x82, b"G520\0"),
            entry(18, 0x82, b"0201\0"),
            entry(3, 0x86, b"620.1\0\0"),
            entry(11, 0x82, &[0xAA]),
            entry(37, 0x87, &[20, 0]),
            entry(20, 0x01, &[7; 48]),
            entry(21, 0x85, &[0x55]),
            entry(34, 0x86, &[0, 2]),
            entry(36, 0x85, &[0, 0]),
        ]
        .concat()
    }

    #[test]
    fn reads_the_layout_with_a_header() {
        let opaque = Opaque::parse(&versioned()).expect("version 2");
        assert_eq!(opaque.driver.to_string(), "620.1");
        assert_eq!(opaque.vbios.to_string(), "96.00.D9.00.0F");
        assert_eq!(
            (opaque.project.as_str(), opaque.project_sku.as_str()),
            ("G520", "0201")
        );
        assert_eq!((opaque.fwid, opaque.nvdec0), (Some([7; 48]), Some(true)));
        assert_eq!(opaque.mode, Mode::SinglePassthrough);
        assert_eq!(opaque.levels, BTreeMap::from([(37, 20)]));
        assert_eq!(opaque.others, []);
        let later = [versioned(), entry(200, 0x99, &[1])].concat();
        let later = [header(0, [2, 3, 1, 0]), later[12..].to_vec()].concat();
        let opaque = Opaque::parse(&later).expect("a minor version");
        let [other] = &opaque.others[..] else {
            panic!("{:?}", opaque.others)
        };
        assert_eq!((other.kind, other.value_type), (200, Some(0x99)));
    }

    #[test]
    fn refuses_a_profile_and_a_major_version_that_it_does_not_know_by_name() {
        let with = |header: Vec<u8>| Opaque::parse(&[header, versioned()[12..].to_vec()].concat());
        assert_eq!(
            with(header(1, [2, 0, 0, 0])),
            Err(Rejection::GpuOpaqueProfile { found: 1 })
        );
        for major in [0, 1, 3, 255] {
            let found = u16::from(major);
            assert_eq!(
                with(header(0, [major, 0, 0, 0])),
                Err(Rejection::GpuOpaqueVersion { found })
            );
        }
        let cut = Opaque::parse(&versioned()[..11]);
        assert_eq!(cut, Err(malformed("its header")));
        let cut = Opaque::parse(&versioned()[..15]);
        assert_eq!(cut, Err(malformed("a field's length")));
    }

    #[test]
    fn a_level_is_one_number_of_its_value_type() {
        let with = |entries: &[Vec<u8>]| Opaque::parse(&[versioned(), entries.concat()].concat());
        let long = with(&[entry(40, 0x87, &[1; 8])]).expect("eight bytes");
        assert_eq!(long.levels.get(&40), Some(&0x0101_0101_0101_0101));
        for value in [&[][..], &[1; 9]] {
            let field = "a security version number";
            assert_eq!(with(&[entry(40, 0x87, value)]), Err(malformed(field)));
        }
        let twice = with(&[entry(37, 0x87, &[30, 0])]);
        let field = "a security version number";
        assert_eq!(twice, Err(Rejection::GpuOpaqueDuplicate { field }));
        let other = with(&[entry(40, 0x86, &[1])]).expect("of another value type");
        assert_eq!(other.levels.get(&40), None);
        // The older layout has no value types, and therefore no levels.
        let older = [complete(), field_of_37()].concat();
        assert_eq!(
            Opaque::parse(&older).map(|it| it.levels),
            Ok(BTreeMap::new())
        );
    }

    fn field_of_37() -> Vec<u8> {
        field(37, &[20, 0])
    }

    #[test]
    fn refuses_a_field_that_stands_twice() {
        for (kind, name) in [
            (3, "DRIVER_VERSION"),
            (6, "VBIOS_VERSION"),
            (15, "CHIP_SKU"),
            (17, "PROJECT"),
            (18, "PROJECT_SKU"),
        ] {
            let twice = [complete(), field(kind, b"")].concat();
            assert_eq!(
                Opaque::parse(&twice),
                Err(Rejection::GpuOpaqueDuplicate { field: name })
            );
        }
        for (kind, size, name) in [(11, 1, "NVDEC0_STATUS"), (20, 48, "FWID")] {
            let one = field(kind, &vec![0x55; size]);
            let twice = [complete(), one.clone(), one].concat();
            assert_eq!(
                Opaque::parse(&twice),
                Err(Rejection::GpuOpaqueDuplicate { field: name })
            );
        }
    }

    #[test]
    fn refuses_values_without_a_known_meaning() {
        for (kind, value, name) in [
            (11, &[0x00][..], "NVDEC0_STATUS"),
            (11, &[0x55, 0x55], "NVDEC0_STATUS"),
            (20, &[0; 47], "FWID"),
            (21, &[1], "PROTECTED_PCIE_STATUS"),
            (35, b"GB\x01", "CHIP_INFO"),
            (35, b"GB100\0a", "CHIP_INFO"),
            (35, b"\0\0", "CHIP_INFO"),
            (35, &[b'G'; MAX_TEXT_SIZE + 1], "CHIP_INFO"),
            (36, &[3, 0], "FEATURE_FLAG"),
        ] {
            let bytes = [complete(), field(kind, value)].concat();
            assert_eq!(Opaque::parse(&bytes), Err(malformed(name)));
        }
        let newer = [complete(), field(34, &[2, 0])].concat();
        assert_eq!(
            Opaque::parse(&newer),
            Err(Rejection::GpuOpaqueVersion { found: 2 })
        );
    }

    #[test]
    fn refuses_a_mode_that_contradicts_itself() {
        let lone_but_protected = [complete(), field(36, &[0, 0]), field(21, &[ENABLED])].concat();
        assert_eq!(
            Opaque::parse(&lone_but_protected),
            Err(malformed("FEATURE_FLAG"))
        );
        let encrypted_but_protected =
            [complete(), field(36, &[1, 0]), field(21, &[ENABLED])].concat();
        assert_eq!(
            Opaque::parse(&encrypted_but_protected),
            Err(malformed("FEATURE_FLAG"))
        );
        let protected_but_open = [complete(), field(36, &[2, 0]), field(21, &[DISABLED])].concat();
        assert_eq!(
            Opaque::parse(&protected_but_open),
            Err(malformed("FEATURE_FLAG"))
        );
        let protected = [complete(), field(36, &[2, 0]), field(21, &[ENABLED])].concat();
        assert_eq!(
            Opaque::parse(&protected).map(|it| it.mode),
            Ok(Mode::ProtectedPcie)
        );
    }

    #[test]
    fn refuses_a_cut_field_and_a_missing_one() {
        let bytes = complete();
        let cut = Rejection::GpuOpaqueMalformed {
            field: "a field's length",
        };
        assert_eq!(Opaque::parse(&bytes[..bytes.len() - 1]), Err(cut));
        let missing = Rejection::GpuOpaqueMissing {
            field: "PROJECT_SKU",
        };
        assert_eq!(Opaque::parse(&bytes[..bytes.len() - 9]), Err(missing));
    }
}
