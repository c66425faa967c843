//! A transparency log, from its readers' side: an append-only RFC 6962 Merkle tree whose head the log signs.
//!
//! Three kinds of text are exchanged, all defined by C2SP: a checkpoint (tlog-checkpoint) names the head; a proof (tlog-proof) shows
//! that an entry is under it; a growth (the body that tlog-witness takes) shows that a later tree begins with an earlier one. None of
//! them is trusted beyond what the log's key signed and the hashes show.

mod checkpoint;
mod merkle;
mod proof;
#[cfg(test)]
mod tests;

pub use checkpoint::Checkpoint;
pub use merkle::{HASH, Hash, leaf_hash};
pub use proof::{Growth, Inclusion};

use super::key::PublicKey;
use crate::{Rejection, encoding::digest::Hex};

/// The maximum size of any of the three, in bytes. A proof in a tree of 2^64 entries has 3 KB.
pub const MAX_TEXT: usize = 64 * 1024;

/// The newest head of a log that a client has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Which log.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root over them.
    pub root: Hex<HASH>,
}

impl Head {
    /// Step log-3: does `next` begin with everything that this head has? If it has more entries, `growth` must show this.
    pub fn grew_into(&self, next: &Checkpoint, growth: Option<&[u8]>) -> Result<(), Rejection> {
        let forked = Rejection::LogForked { size: self.size };
        if next.origin != self.origin {
            return Err(forked);
        }
        if next.size < self.size {
            return Err(Rejection::LogShrunk {
                found: next.size,
                seen: self.size,
            });
        }
        if next.size == self.size {
            return if next.root == self.root {
                Ok(())
            } else {
                Err(forked)
            };
        }
        let missing = Rejection::LogGrowthMissing { from: self.size };
        let growth = Growth::parse(growth.ok_or_else(|| missing.clone())?)?;
        if growth.old != self.size {
            return Err(missing);
        }
        let holds = merkle::is_consistent(
            (self.size, &self.root.0),
            (next.size, &next.root.0),
            &growth.path,
        );
        if holds { Ok(()) } else { Err(forked) }
    }
}

/// Steps log-1 and log-2: is this entry in the log of this key? Compare the returned head with the one last seen.
pub fn verify_inclusion(
    entry: &[u8],
    proof: &[u8],
    key: &PublicKey,
) -> Result<Checkpoint, Rejection> {
    let proof = Inclusion::parse(proof)?;
    let checkpoint = Checkpoint::verify(proof.checkpoint.as_bytes(), key)?;
    let place = (proof.index, checkpoint.size);
    if merkle::is_included(&leaf_hash(entry), place, &proof.path, &checkpoint.root.0) {
        Ok(checkpoint)
    } else {
        Err(Rejection::LogProofMismatch {
            index: proof.index,
            size: checkpoint.size,
        })
    }
}
