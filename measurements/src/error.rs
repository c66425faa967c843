//! Why an image cannot be measured: the cause is always in the files or the question, never in a peer.

use crate::{MAX_MEMORY, MAX_VCPUS};
use std::path::PathBuf;

/// Why there is no digest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// A file of the image cannot be read.
    #[error("{}: {source}; an image folder has kernel, initrd, firmware.fd, firmware-tdx.fd, cmdline, cmdline-simulated and, for GPUs, driver.img: `chrysalis-image build` makes one", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A command line would not be measured as it is booted.
    #[error("{}: the command line {fault}; correct the recipe and build the image again", path.display())]
    CommandLine {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The firmware is not one that SNP can measure together with a kernel.
    #[error("{}: {fault}; use the firmware of the package ovmf-amdsev, which checks kernel, initrd and command line against their hashes", path.display())]
    Firmware {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The firmware is not one that TDX can measure, or would not measure the kernel.
    #[error("{}: {fault}; use the firmware-tdx.fd that `chrysalis-image build` makes from the package ovmf-inteltdx", path.display())]
    TdxFirmware {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The kernel is not one that TDX firmware measures.
    #[error("{}: {fault}; use a bzImage with CONFIG_EFI_STUB, such as Debian's linux-image-cloud-amd64", path.display())]
    Kernel {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// There is no initrd, and without one a kernel measures other events.
    #[error("{}: the initrd is empty; `chrysalis-image build` makes one with the enclave in it", path.display())]
    Initrd {
        /// The file.
        path: PathBuf,
    },
    /// No guest has that much or that little memory.
    #[error(
        "{memory} MiB of memory cannot be measured; give what the guest is started with, from 64 to {MAX_MEMORY}"
    )]
    Memory {
        /// What was asked for, in MiB.
        memory: u64,
    },
    /// A file of ACPI tables cannot be read.
    #[error("{}: {source}; a folder of ACPI tables has table-loader, rsdp and tables, copied from /sys/firmware/qemu_fw_cfg/by_name/etc of a guest", path.display())]
    Acpi {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key cannot sign an ID block.
    #[error(
        "{role}: {fault}; SNP signs with ECDSA P-384: `openssl ecparam -name secp384r1 -genkey -noout -out key.pem` makes a key"
    )]
    Key {
        /// Which of the two.
        role: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A CPU type for which no digest can be computed.
    #[error(
        "unknown CPU type {name:?}; known are {known}; or give its CPUID signature, such as 0xa10f11"
    )]
    CpuType {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A number that is not the signature of a CPU with SEV.
    #[error(
        "{signature:#x} is not the signature of a CPU with SEV; give EAX of CPUID function 1 as the guest sees it, such as 0xa10f11 for Genoa"
    )]
    CpuSignature {
        /// What was asked for.
        signature: u32,
    },
    /// A number of virtual CPUs that no guest has.
    #[error("{vcpus} virtual CPUs cannot be measured; give a number from 1 to {MAX_VCPUS}")]
    Vcpus {
        /// What was asked for.
        vcpus: u32,
    },
    /// The library that computes the hash refused.
    #[error(
        "computing the launch digest: {detail}; check the image's files against its image.json"
    )]
    Digest {
        /// What it said.
        detail: String,
    },
}
