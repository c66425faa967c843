//! What a TDX quote says about an image: MRTD, the run-time registers RTMR0 to RTMR2 with every event that makes them, and
//! MRCONFIGID.
//!
//! Presumes what `chrysalis-host` and Debian's firmware do: QEMU from 10.1 (the first with TDX), direct kernel boot, EDK II
//! from edk2-stable202505, no Secure Boot. Other hosts measure otherwise, and their quotes are refused.

mod authenticode;
mod boot;
mod hand_off;
mod metadata;
mod module;
mod variables;

use crate::{CommandLine, Image, MeasureError};
use metadata::Metadata;
use sha2::{Digest, Sha384};
use std::path::Path;

/// A SHA-384 digest.
pub type Sha384Digest = [u8; 48];

/// The most memory of a guest, in MiB: 64 TiB.
pub const MAX_MEMORY: u64 = 64 * 1024 * 1024;

/// What of a guest's machine the registers count, besides the image. What is not known leaves its events open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TdxShape {
    /// The guest's memory, in MiB.
    pub memory: Option<u64>,
    /// The ACPI tables that QEMU makes for the guest's devices and CPUs.
    pub acpi: Option<AcpiTables>,
}

/// QEMU's ACPI tables as a guest finds them under `/sys/firmware/qemu_fw_cfg/by_name/etc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcpiTables {
    /// `table-loader`: how the firmware joins the tables.
    pub loader: Vec<u8>,
    /// `acpi/rsdp`: where they begin.
    pub rsdp: Vec<u8>,
    /// `acpi/tables`: themselves.
    pub tables: Vec<u8>,
}

impl AcpiTables {
    /// Reads `table-loader`, `rsdp` and `tables` of a folder.
    pub fn read(folder: &Path) -> Result<Self, MeasureError> {
        let read = |name| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|source| MeasureError::Acpi { path, source })
        };
        Ok(Self {
            loader: read("table-loader")?,
            rsdp: read("rsdp")?,
            tables: read("tables")?,
        })
    }
}

/// What one event extends a register with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventDigest {
    /// This, wherever the image boots.
    Computed(Sha384Digest),
    /// What the machine decides; why it cannot be told from the image.
    Varies(&'static str),
}

/// One extension of a run-time register, in the order of a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdxEvent {
    /// Which register: 0 to 2. The guest's own software may extend 3.
    pub rtmr: u8,
    /// What is measured.
    pub name: &'static str,
    /// Its digest.
    pub digest: EventDigest,
}

/// All that can be told of an image's quote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TdxMeasurement {
    /// The pages that the firmware's metadata names, as the module adds and extends them.
    pub mrtd: Sha384Digest,
    /// Every event of the boot, by register.
    pub events: Vec<TdxEvent>,
}

impl TdxMeasurement {
    /// What a register holds when the kernel runs; `None` where one of its events varies.
    pub fn rtmr(&self, index: u8) -> Option<Sha384Digest> {
        let events = self.events.iter().filter(|event| event.rtmr == index);
        events.into_iter().try_fold([0; 48], |register, event| {
            let EventDigest::Computed(digest) = event.digest else {
                return None;
            };
            Some(sha384(&[&register, &digest]))
        })
    }
}

/// What a TDX machine says about `image` in this shape.
pub fn tdx_measurement(
    image: &Image,
    command_line: CommandLine,
    shape: &TdxShape,
) -> Result<TdxMeasurement, MeasureError> {
    let path = image.tdx_firmware();
    let firmware = read_firmware(&path)?;
    let faulty = |fault| MeasureError::TdxFirmware {
        path: path.clone(),
        fault,
    };
    let metadata = Metadata::parse(&firmware).map_err(faulty)?;
    variables::must_be_empty(metadata.configuration).map_err(faulty)?;

    let kernel = read(&image.kernel())?;
    let kernel = authenticode::sha384(&kernel).map_err(|fault| MeasureError::Kernel {
        path: image.kernel(),
        fault,
    })?;
    let initrd = read(&image.initrd())?;
    if initrd.is_empty() {
        return Err(MeasureError::Initrd {
            path: image.initrd(),
        });
    }
    let hand_off = match shape.memory {
        Some(memory) => EventDigest::Computed(memory_map(&metadata, memory)?),
        None => EventDigest::Varies("the memory map: give the guest's memory"),
    };
    let boot = boot::Boot {
        hand_off,
        configuration: metadata.configuration,
        acpi: shape.acpi.as_ref(),
        kernel,
        command_line: image.command_line(command_line),
        initrd: sha384(&[&initrd]),
    };
    Ok(TdxMeasurement {
        mrtd: module::mrtd(&metadata),
        events: boot.events(),
    })
}

/// MRCONFIGID of a configuration, as `chrysalis-host` hands it to the module.
pub fn mr_config_id(configuration: &[u8]) -> Sha384Digest {
    sha384(&[configuration])
}

fn memory_map(metadata: &Metadata<'_>, memory: u64) -> Result<Sha384Digest, MeasureError> {
    let bytes = (1..=MAX_MEMORY).contains(&memory).then_some(memory << 20);
    let map = bytes.and_then(|bytes| hand_off::block(metadata, bytes));
    let map = map.ok_or(MeasureError::Memory { memory })?;
    Ok(sha384(&[&map]))
}

fn read_firmware(path: &Path) -> Result<Vec<u8>, MeasureError> {
    let length = std::fs::metadata(path).map(|metadata| metadata.len());
    match length {
        Ok(length) if length > crate::footer::MAX_SIZE as u64 => Err(MeasureError::TdxFirmware {
            path: path.to_owned(),
            fault: metadata::NOT_FIRMWARE,
        }),
        _ => read(path),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, MeasureError> {
    std::fs::read(path).map_err(|source| MeasureError::File {
        path: path.to_owned(),
        source,
    })
}

/// SHA-384 of these parts, one after the other.
pub(crate) fn sha384(parts: &[&[u8]]) -> Sha384Digest {
    let mut hash = Sha384::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}
