//! The SNP launch digest: what AMD's firmware accumulates page by page before the first instruction of a guest.

use crate::{CommandLine, CpuType, Image, MeasureError, firmware};
use sev::measurement::{
    snp::{SnpMeasurementArgs, snp_calc_launch_digest},
    vmsa::{GuestFeatures, VMMType},
};

/// The most virtual CPUs of a guest. Each costs a page of the digest's work.
pub const MAX_VCPUS: u32 = 512;

/// `SNPActive` and nothing else: what QEMU sets unless told otherwise.
const SNP_ACTIVE: u64 = 0x1;

/// What of a guest's machine the digest counts, besides the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// How many virtual CPUs.
    pub vcpus: u32,
    /// Of which type.
    pub cpu_type: CpuType,
    /// `SEV_FEATURES` of their save areas.
    pub guest_features: u64,
}

impl Shape {
    /// So many virtual CPUs of the default type with the default features.
    pub fn new(vcpus: u32) -> Self {
        Self {
            vcpus,
            cpu_type: CpuType::EPYC_V4,
            guest_features: SNP_ACTIVE,
        }
    }
}

/// The launch digest of a guest that QEMU starts with `kernel-hashes=on`: firmware, the hashes of kernel, initrd and
/// command line, and the first state of every virtual CPU.
pub fn snp_launch_digest(
    image: &Image,
    command_line: CommandLine,
    shape: Shape,
) -> Result<[u8; 48], MeasureError> {
    if !(1..=MAX_VCPUS).contains(&shape.vcpus) {
        return Err(MeasureError::Vcpus { vcpus: shape.vcpus });
    }
    firmware::check(&image.firmware())?;
    let digest = snp_calc_launch_digest(SnpMeasurementArgs {
        vcpus: shape.vcpus,
        vcpu_type: shape.cpu_type.0,
        ovmf_file: image.firmware(),
        guest_features: GuestFeatures(shape.guest_features),
        kernel_file: Some(image.kernel()),
        initrd_file: Some(image.initrd()),
        append: Some(image.command_line(command_line)),
        ovmf_hash_str: None,
        vmm_type: Some(VMMType::QEMU),
    });
    let bytes: Result<Vec<u8>, _> = digest.and_then(TryInto::try_into);
    let bytes = bytes.map_err(|error| MeasureError::Digest {
        detail: error.to_string(),
    })?;
    bytes.try_into().map_err(|_| MeasureError::Digest {
        detail: "it is not 48 bytes".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_guest_without_or_with_too_many_virtual_cpus() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "kernel",
            "initrd",
            "firmware.fd",
            "cmdline",
            "cmdline-simulated",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let image = Image::open(folder.path()).unwrap();
        for vcpus in [0, MAX_VCPUS + 1] {
            let error = snp_launch_digest(&image, CommandLine::Hardware, Shape::new(vcpus));
            assert!(matches!(error, Err(MeasureError::Vcpus { vcpus: found }) if found == vcpus));
        }
    }
}
