//! Releases that anyone can check: signed manifests, the statements of rebuilders, and the log they may sit in.
//!
//! Verification only, and bytes only: keys, time and what was seen before are arguments. docs/spec/manifest.md has the bytes.

mod dsse;
mod key;
mod log;
mod manifest;
mod measurements;
mod rebuild;
mod statement;
#[cfg(test)]
pub(crate) mod tests;

pub use dsse::{Envelope, MAX_ENVELOPE, PAYLOAD_TYPE, pae};
pub use key::{KeyId, PublicKey};
pub use log::{
    Checkpoint, Growth, HASH, Hash, Head, Inclusion, MAX_TEXT, leaf_hash, verify_inclusion,
};
pub use manifest::{Input, MinimumTcb, RELEASE, Release, Seen, Signed, Toolchain, Verified};
pub use measurements::{MachineEvent, Measured, Measurements, SnpMeasurement, TdxMeasurement};
pub use rebuild::{MAX_STATEMENTS, REBUILD, Rebuild, Rebuilders};
pub use statement::{DigestSet, Subject};
