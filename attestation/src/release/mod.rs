//! Releases that anyone can check: a root that vouches for keys, manifests signed by those keys, the statements of rebuilders, the
//! publisher's endorsements, and the log that contains releases and keys.
//!
//! Verification only, on bytes only: keys, time and what was seen before are arguments. docs/spec/manifest.md defines the formats.

mod development;
mod dsse;
mod endorsement;
#[cfg(test)]
pub(crate) mod endorsing;
mod key;
mod keys;
mod log;
mod manifest;
mod measurements;
mod rebuild;
mod root;
mod statement;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod vouching;

pub use development::{ANYONE_CAN_SIGN, DEVELOPMENT_ROOT, Development};
pub use dsse::{Envelope, MAX_ENVELOPE, PAYLOAD_TYPE, pae};
pub use endorsement::{ENDORSEMENT, Endorsed, Endorsement, Endorser, MAX_ENDORSED};
pub use key::{KeyId, PublicKey};
pub use keys::{
    KEYS, KeyStatement, Keys, Logged, Published, RevokedKey, Role, SeenKeys, Vouched, VouchedKey,
};
pub use log::{
    Checkpoint, Growth, HASH, Hash, Head, Inclusion, MAX_TEXT, leaf_hash, verify_inclusion,
};
pub use manifest::{
    Input, MinimumTcb, RELEASE, Release, Seen, Signed, Toolchain, VerifiedRelease, is_project,
};
pub use measurements::{MachineEvent, Measured, Measurements, SnpMeasurement, TdxMeasurement};
pub use rebuild::{MAX_STATEMENTS, REBUILD, Rebuild, Rebuilders};
pub use root::{ROOT, Root, RootStatement, SeenVersion};
pub use statement::{DigestSet, Subject};
