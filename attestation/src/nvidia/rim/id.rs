//! The ids under which NVIDIA publishes a device's reference measurements.

use crate::nvidia::{kind::Architecture, opaque::Opaque};

/// The id under which NVIDIA publishes the driver's RIM for this report. `None` if the report does not say which chip it is.
pub fn driver_rim_id(architecture: Architecture, opaque: &Opaque) -> Option<String> {
    let driver = &opaque.driver;
    match architecture {
        Architecture::Hopper => Some(format!("NV_GPU_DRIVER_GH100_{driver}")),
        Architecture::Blackwell => opaque
            .chip
            .as_ref()
            .map(|chip| format!("NV_GPU_CC_DRIVER_{chip}_{driver}")),
    }
}

/// The id under which NVIDIA publishes the RIM of a switch's firmware. The report does not name board and chip; LS10 has only one.
pub fn switch_rim_id(firmware: &str) -> String {
    let firmware = firmware.replace('.', "");
    format!("NV_SWITCH_BIOS_5612_0002_890_{firmware}").to_uppercase()
}

/// The id under which NVIDIA publishes the VBIOS's RIM for this report.
pub fn vbios_rim_id(opaque: &Opaque) -> String {
    let Opaque {
        project,
        project_sku,
        chip_sku,
        vbios,
        ..
    } = opaque;
    format!(
        "NV_GPU_VBIOS_{project}_{project_sku}_{chip_sku}_{}",
        vbios.compact()
    )
    .to_uppercase()
}
