//! Why an image cannot be measured: always something about the files or the question, never about a peer.

use crate::{CpuType, MAX_VCPUS};
use std::path::PathBuf;

/// Why there is no digest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// A file of the image cannot be read.
    #[error("{}: {source}; an image folder has kernel, initrd, firmware.fd, cmdline and cmdline-simulated: `chrysalis-image build` makes one", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A command line would be measured otherwise than it is booted.
    #[error("{}: the command line {fault}; correct the recipe and build the image again", path.display())]
    CommandLine {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The firmware is not one that SNP can measure together with a kernel.
    #[error("{}: {fault}; use the firmware of the package ovmf-amdsev, which holds kernel, initrd and command line to their hashes", path.display())]
    Firmware {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A CPU type that no digest can be computed for.
    #[error("unknown CPU type {name:?}; known are {}", CpuType::names())]
    CpuType {
        /// What was asked for.
        name: String,
    },
    /// A number of virtual CPUs that no guest has.
    #[error("{vcpus} virtual CPUs cannot be measured; give a number from 1 to {MAX_VCPUS}")]
    Vcpus {
        /// What was asked for.
        vcpus: u32,
    },
    /// The library that hashes refused.
    #[error(
        "computing the launch digest: {detail}; check the image's files against its image.json"
    )]
    Digest {
        /// What it said.
        detail: String,
    },
}
