//! What a TDX quote says about an image: MRTD, the run-time registers RTMR0 to RTMR2 with every event that makes them, and
//! MRCONFIGID.
//!
//! This assumes what `chrysalis-host` and Debian's firmware do: QEMU 10.1 or newer (10.1 is the first with TDX), direct kernel boot,
//! EDK II since edk2-stable202505, no Secure Boot. Other hosts measure differently, and their quotes are refused.

mod authenticode;
mod boot;
mod digest;
mod event;
mod hand_off;
mod metadata;
mod module;
mod shape;
mod variables;

use crate::{CommandLine, Image, MAX_MEMORY, MeasureError, image::read};
use metadata::Metadata;
use std::path::Path;

pub use digest::Sha384Digest;
pub(crate) use digest::sha384;
pub use event::{EventDigest, TdxEvent, TdxMeasurement};
pub use shape::{AcpiTables, TdxShape};

/// What a TDX machine of this shape reports about `image`.
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

/// MRCONFIGID of a configuration, as `chrysalis-host` passes it to the module.
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
