//! The SNP launch digest: what AMD's firmware accumulates page by page before the first instruction of a guest.

use crate::{CommandLine, CpuType, Image, MAX_VCPUS, MeasureError, firmware};
use sev::measurement::{
    ovmf::OVMF,
    snp::{SnpMeasurementArgs, snp_calc_launch_digest},
    vcpu_types,
    vmsa::{GuestFeatures, VMMType, VMSA},
};
use sha2::{Digest, Sha384};

/// `SNPActive` and nothing else: QEMU's default.
const SNP_ACTIVE: u64 = 0x1;

/// What the digest counts of a guest's machine, besides the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// How many virtual CPUs.
    pub vcpus: u32,
    /// Their type.
    pub cpu_type: CpuType,
    /// `SEV_FEATURES` of their save areas.
    pub guest_features: u64,
}

impl Shape {
    /// This many virtual CPUs, of the default type and with the default features.
    pub fn new(vcpus: u32) -> Self {
        Self {
            vcpus,
            cpu_type: CpuType::EPYC_V4,
            guest_features: SNP_ACTIVE,
        }
    }
}

/// The launch digest of a guest that QEMU starts with `kernel-hashes=on`: it covers firmware, the hashes of kernel, initrd and
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
    // Memory first, then a page for each virtual CPU. Those are added here, because the library knows types only by name.
    let memory = snp_calc_launch_digest(SnpMeasurementArgs {
        vcpus: 0,
        vcpu_type: ANY_TYPE,
        ovmf_file: image.firmware(),
        guest_features: GuestFeatures(shape.guest_features),
        kernel_file: Some(image.kernel()),
        initrd_file: Some(image.initrd()),
        append: Some(image.command_line(command_line)),
        ovmf_hash_str: None,
        vmm_type: Some(VMMType::QEMU),
    });
    let failed = |detail: String| MeasureError::Digest { detail };
    let memory: Result<Vec<u8>, _> = memory.and_then(TryInto::try_into);
    let memory = memory.map_err(|error| failed(error.to_string()))?;
    let memory: [u8; 48] = memory
        .try_into()
        .map_err(|_| failed("it is not 48 bytes".to_owned()))?;
    let pages = first_states(image, shape)?;
    Ok(pages
        .iter()
        .fold(memory, |digest, page| extended(&digest, page)))
}

/// The library fills it into each first state, where the signature then takes its place.
const ANY_TYPE: vcpu_types::CpuType = vcpu_types::CpuType::EpycV4;
/// Where a virtual CPU's save area (VMSA) has RDX, which holds the signature at reset. AMD 24593, table B-4.
const RDX: std::ops::Range<usize> = 0x310..0x318;
/// The address of save areas in the digest, however much memory the guest has. AMD 56860 §8.17.
const VMSA_ADDRESS: u64 = 0xFFFF_FFFF_F000;
/// `PAGE_TYPE_VMSA`
const VMSA_PAGE: u8 = 2;

/// The page of each virtual CPU, in its first state.
fn first_states(image: &Image, shape: Shape) -> Result<Vec<Vec<u8>>, MeasureError> {
    let failed = |detail: String| MeasureError::Digest { detail };
    let firmware = OVMF::new(image.firmware()).map_err(|error| failed(error.to_string()))?;
    let reset = firmware
        .sev_es_reset_eip()
        .map_err(|error| failed(error.to_string()))?;
    let states = VMSA::new(
        reset.into(),
        ANY_TYPE,
        VMMType::QEMU,
        Some(shape.vcpus.into()),
        GuestFeatures(shape.guest_features),
    );
    let count = usize::try_from(shape.vcpus).map_err(|error| failed(error.to_string()))?;
    let mut pages = states
        .pages(count)
        .map_err(|error| failed(error.to_string()))?;
    let signature = u64::from(shape.cpu_type.signature()).to_le_bytes();
    for page in &mut pages {
        let place = page
            .get_mut(RDX)
            .ok_or_else(|| failed("a save area is too short".to_owned()))?;
        place.copy_from_slice(&signature);
    }
    Ok(pages)
}

/// The digest after one more page. `PAGE_INFO` of AMD 56860, table 67.
fn extended(digest: &[u8; 48], page: &[u8]) -> [u8; 48] {
    const LENGTH: u16 = 0x70;
    let mut info = Vec::with_capacity(usize::from(LENGTH));
    info.extend(digest);
    info.extend(Sha384::digest(page));
    info.extend(LENGTH.to_le_bytes());
    // The type; no initial migration image; no permissions for lower privilege levels.
    info.extend([VMSA_PAGE, 0, 0, 0, 0, 0]);
    info.extend(VMSA_ADDRESS.to_le_bytes());
    Sha384::digest(&info).into()
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
