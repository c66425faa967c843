//! Steps log-1 to log-3.

use super::{
    checkpoint::{Checkpoint, Head},
    merkle::{self, leaf_hash},
    proof::{Growth, Inclusion},
};
use crate::{Rejection, release::key::PublicKey};

impl Head {
    /// Step log-3: does `next` begin with all that this head has? Where it has more entries, `growth` must show it.
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

/// Steps log-1 and log-2: is this entry in the log of this key? The caller compares the head it is under with the one last seen.
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
