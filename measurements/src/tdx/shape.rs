//! What the registers count besides the image.

use crate::MeasureError;
use std::path::Path;

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
