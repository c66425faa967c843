#![doc = include_str!("../README.md")]
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
