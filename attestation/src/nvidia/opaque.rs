//! The report's opaque data: what the device says about itself beside its measurements. Type, length, value.
//!
//! Nothing here may be believed before the report's signature was checked. Types that are not known are skipped, since
//! firmware adds some; a field that this verifier reads may stand only once.

use std::{collections::BTreeSet, fmt};

use super::{
    chain::Pdi,
    version::{DriverVersion, VbiosVersion},
};
use crate::{Rejection, digest::Hex};

/// The newest layout that is known.
const MAX_VERSION: u16 = 1;
const ENABLED: u8 = 0xAA;
const DISABLED: u8 = 0x55;
/// A GPU has a link for each.
const MAX_LINKS: usize = 18;
/// A switch names so many GPUs, and then says which port leads to which.
const GPUS_OF_A_SWITCH: usize = 8;
const SWITCH_GPUS_SIZE: usize = 128;
/// What a link that leads nowhere names.
const NOBODY: Pdi = Hex([0; 8]);
/// No name or number in here is longer.
const MAX_TEXT_SIZE: usize = 64;

/// What of the opaque data decides something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// Of the kernel driver that runs in the guest.
    pub driver: DriverVersion,
    /// Of the firmware on the board.
    pub vbios: VbiosVersion,
    /// Part of the VBIOS RIM's id.
    pub project: String,
    /// Part of the VBIOS RIM's id.
    pub project_sku: String,
    /// Part of the VBIOS RIM's id.
    pub chip_sku: String,
    /// Blackwell's chip, such as `GB100`; Hopper does not say.
    pub chip: Option<String>,
    /// Whether the first video decoder is on. It owns index 35, which is compared only then.
    pub nvdec0: Option<bool>,
    /// The firmware that the device's key was certified for; 2023's firmware does not say.
    pub fwid: Option<[u8; 48]>,
    /// How the GPU shares its memory.
    pub mode: Mode,
    /// The switches that its links lead to; none where it says nothing of links.
    pub switches: BTreeSet<Pdi>,
}

/// What of a switch's opaque data decides something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchOpaque {
    /// Its firmware: `96.10.55.00.01`.
    pub firmware: String,
    /// Who it is on the fabric.
    pub pdi: Pdi,
    /// The GPUs that its ports lead to.
    pub gpus: BTreeSet<Pdi>,
    /// Whether its configuration is locked until it is reset: 1, as switches in protected-PCIe mode report.
    pub lock: u16,
    /// The firmware that its key was certified for, if it says so; firmware of 2025 does not.
    pub fwid: Option<[u8; 48]>,
}

/// How a GPU is passed to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Alone.
    SinglePassthrough,
    /// With others, over encrypted links.
    MultiPassthrough,
    /// With others, over switches whose links are not encrypted but whose switches are attested.
    ProtectedPcie,
    /// This firmware does not say; it is not [`Self::ProtectedPcie`].
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

    fn read(mut rest: &'a [u8]) -> Result<Self, Rejection> {
        let cut = || Rejection::GpuOpaqueMalformed {
            field: "a field's length",
        };
        let mut fields = Self::default();
        while !rest.is_empty() {
            let ([a, b, c, d], after) = rest.split_first_chunk().ok_or_else(cut)?;
            let (kind, size) = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
            let (value, after) = after.split_at_checked(usize::from(size)).ok_or_else(cut)?;
            if let Some((field, slot)) = fields.slot(kind)
                && slot.replace(value).is_some()
            {
                return Err(Rejection::GpuOpaqueDuplicate { field });
            }
            rest = after;
        }
        let version = fields
            .version
            .map(|it| array(it, "OPAQUE_DATA_VERSION"))
            .transpose()?;
        let version = version.map_or(0, u16::from_le_bytes);
        if version > MAX_VERSION {
            return Err(Rejection::GpuOpaqueVersion { found: version });
        }
        Ok(fields)
    }
}

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
        })
    }
}

/// A GPU names the switch at each of its links, in the other order of bytes than switches name themselves.
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

/// Firmware says it by a flag since 2025, by a switch since 2024, not at all before; where both speak they must agree.
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
        (Some(1), _) => Ok(Mode::MultiPassthrough),
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

/// Letters, digits, dots and the like, padded with NUL to a fixed size.
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
    fn skips_types_it_does_not_know_even_twice() {
        let bytes = [complete(), field(4242, b"x"), field(4242, b"y")].concat();
        assert!(Opaque::parse(&bytes).is_ok());
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
