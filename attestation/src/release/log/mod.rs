//! A transparency log, from its readers' side: an append-only RFC 6962 Merkle tree whose head the log signs.
//!
//! Three kinds of text are exchanged, all defined by C2SP: a checkpoint (tlog-checkpoint) names the head; a proof (tlog-proof) shows
//! that an entry is under it; a growth (the body that tlog-witness takes) shows that a later tree begins with an earlier one. None of
//! them is trusted beyond what the log's key signed and the hashes show.

mod check;
mod checkpoint;
mod merkle;
mod proof;
#[cfg(test)]
mod tests;

pub use check::verify_inclusion;
pub use checkpoint::{Checkpoint, Head, MAX_TEXT};
pub use merkle::{HASH, Hash, leaf_hash};
pub use proof::{Growth, Inclusion};
