//! The log's side of the tree: roots and proofs, by the `ct-merkle` crate. The verifier has code of its own, so each checks the other.

use chrysalis_attestation::{
    encoding::digest::Hex,
    release::{Checkpoint, Growth, HASH, Hash, Inclusion},
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2_011::Sha256;

/// Every entry of a log.
pub struct Tree<T: AsRef<[u8]>>(MemoryBackedTree<Sha256, T>);

impl<T: AsRef<[u8]>> Default for Tree<T> {
    fn default() -> Self {
        Self(MemoryBackedTree::new())
    }
}

impl<'a> Tree<&'a [u8]> {
    /// `None` without any entry.
    pub(super) fn of(entries: &'a [Vec<u8>]) -> Option<Self> {
        let mut tree = Self::default();
        for entry in entries {
            tree.push(entry);
        }
        (!tree.0.is_empty()).then_some(tree)
    }
}

impl<T: AsRef<[u8]>> Tree<T> {
    /// Adds an entry behind all others.
    pub fn push(&mut self, entry: T) {
        self.0.push(entry);
    }

    /// How many entries it has.
    pub fn size(&self) -> u64 {
        self.0.len()
    }

    /// The head, to be signed.
    pub fn head(&self, origin: &str) -> Checkpoint {
        let root = self.0.root();
        let mut hash = [0; HASH];
        hash.copy_from_slice(root.as_bytes());
        Checkpoint {
            origin: origin.to_owned(),
            size: root.num_leaves(),
            root: Hex(hash),
        }
    }

    /// The proof that the entry at this index is here; `None` where there is none.
    pub fn inclusion(&self, index: u64, note: &str) -> Option<Inclusion> {
        let place = usize::try_from(index)
            .ok()
            .filter(|_| index < self.size())?;
        Some(Inclusion {
            index,
            path: hashes(self.0.prove_inclusion(place).as_bytes()),
            checkpoint: note.to_owned(),
        })
    }

    /// The proof that this tree begins with what the tree of an earlier size had; `None` for the empty one, and where it is no smaller.
    pub fn growth(&self, old: u64, note: &str) -> Option<Growth> {
        let added = self.size().checked_sub(old).filter(|added| *added > 0);
        let added = usize::try_from(added?).ok().filter(|_| old > 0)?;
        Some(Growth {
            old,
            path: hashes(self.0.prove_consistency(added).as_bytes()),
            checkpoint: note.to_owned(),
        })
    }

    /// Each entry, and the proof that it is here.
    pub(super) fn inclusions(&self, note: &str) -> impl Iterator<Item = (&T, Inclusion)> {
        let proofs = (0..self.size()).map_while(move |index| self.inclusion(index, note));
        self.0.items().iter().zip(proofs)
    }

    /// For each smaller tree, the proof that this one begins with it.
    pub(super) fn growths(&self, note: &str) -> impl Iterator<Item = Growth> {
        (1..self.size()).map_while(move |old| self.growth(old, note))
    }
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    let (hashes, _) = bytes.as_chunks();
    hashes.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_attestation::release::{PublicKey, verify_inclusion};
    use ring::signature::{Ed25519KeyPair, KeyPair};

    const ORIGIN: &str = "log.example";

    #[test]
    fn the_verifier_takes_every_proof_of_every_small_tree() {
        let signer = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let key =
            PublicKey::from_ed25519(signer.public_key().as_ref().try_into().unwrap()).unwrap();
        let all: Vec<Vec<u8>> = (0..20).map(|number: u8| vec![number; 3]).collect();
        let mut heads = Vec::new();
        for size in 1..=all.len() {
            let tree = Tree::of(&all[..size]).unwrap();
            let head = tree.head(ORIGIN);
            let signature = signer.sign(head.to_be_signed().as_bytes());
            let note = head.note(&key, signature.as_ref()).unwrap();
            for (entry, proof) in tree.inclusions(&note) {
                let found = verify_inclusion(entry, proof.to_text().as_bytes(), &key);
                assert_eq!(found, Ok(head.clone()), "{} of {size}", proof.index);
            }
            for (growth, old) in tree.growths(&note).zip(&heads) {
                let old: &Checkpoint = old;
                let step = old
                    .head()
                    .grew_into(&head, Some(growth.to_text().as_bytes()));
                assert_eq!(step, Ok(()), "{} to {size}", growth.old);
            }
            heads.push(head);
        }
    }

    #[test]
    fn nothing_is_no_log() {
        assert!(Tree::of(&[]).is_none());
    }
}
