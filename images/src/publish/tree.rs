//! The log's side of the tree: roots and proofs, by the `ct-merkle` crate. The verifier has code of its own, so each checks the other.

use chrysalis_attestation::{
    encoding::digest::Hex,
    release::{Checkpoint, Growth, HASH, Hash, Inclusion},
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2_011::Sha256;

/// Every entry of a log, at least one.
pub(super) struct Tree<'a>(MemoryBackedTree<Sha256, &'a [u8]>);

impl<'a> Tree<'a> {
    /// `None` without any entry.
    pub(super) fn of(entries: &'a [Vec<u8>]) -> Option<Self> {
        let mut tree = MemoryBackedTree::new();
        for entry in entries {
            tree.push(&entry[..]);
        }
        (!tree.is_empty()).then_some(Self(tree))
    }

    /// The head, to be signed.
    pub(super) fn head(&self, origin: &str) -> Checkpoint {
        let root = self.0.root();
        let mut hash = [0; HASH];
        hash.copy_from_slice(root.as_bytes());
        Checkpoint {
            origin: origin.to_owned(),
            size: root.num_leaves(),
            root: Hex(hash),
        }
    }

    /// Each entry, and the proof that it is here.
    pub(super) fn inclusions(&self, note: &str) -> impl Iterator<Item = (&'a [u8], Inclusion)> {
        let entries = (0..).zip(self.0.items());
        entries.map(move |(index, entry)| {
            let proof = self.0.prove_inclusion(index);
            let inclusion = Inclusion {
                index: index as u64,
                path: hashes(proof.as_bytes()),
                checkpoint: note.to_owned(),
            };
            (*entry, inclusion)
        })
    }

    /// For each smaller tree, the proof that this one begins with it.
    pub(super) fn growths(&self, note: &str) -> impl Iterator<Item = Growth> {
        let size = self.0.items().len();
        (1..size).map(move |old| Growth {
            old: old as u64,
            path: hashes(self.0.prove_consistency(size - old).as_bytes()),
            checkpoint: note.to_owned(),
        })
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
