//! What the hardware will say about an image, computed from its files and without the hardware.
//!
//! It trusts that the files it is given are the ones that will boot, and that the `sev` crate hashes as AMD's firmware does; a test
//! compares its result with an independent implementation.
//!
//! ```no_run
//! use chrysalis_measure::{CommandLine, Image, Shape, snp_launch_digest};
//!
//! let image = Image::open("build/cpu")?;
//! let digest = snp_launch_digest(&image, CommandLine::Hardware, Shape::new(2))?;
//! # Ok::<(), chrysalis_measure::MeasureError>(())
//! ```

#![forbid(unsafe_code)]

mod cpu;
mod elf;
mod error;
mod explain;
mod firmware;
mod footer;
mod id_block;
mod image;
mod limits;
mod snp;
mod tdx;

pub use cpu::CpuType;
pub use error::MeasureError;
pub use explain::{Difference, FoundEvent, explain_events, explain_images};
pub use id_block::{IdBlock, Identity, SigningKey, SnpPolicy};
pub use image::{CommandLine, Image};
pub use limits::{MAX_MEMORY, MAX_VCPUS};
pub use snp::{Shape, snp_launch_digest};
pub use tdx::{
    AcpiTables, EventDigest, Sha384Digest, TdxEvent, TdxMeasurement, TdxShape, mr_config_id,
    tdx_measurement,
};
