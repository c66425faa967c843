//! The vectors of all formats.

use super::{azure, batch, bundle, intel, nvidia, release, snp, vouching};
use crate::vector::{Common, Tree, Vector, tree};

/// The whole tree.
pub(crate) fn all() -> Tree {
    let mut common = Common::new();
    let mut vectors: Vec<Vector> = Vec::new();
    for make in [
        snp::vectors,
        azure::vectors,
        intel::vectors,
        nvidia::vectors,
        bundle::vectors,
        batch::vectors,
        release::vectors,
        vouching::vectors,
    ] {
        vectors.extend(make(&mut common));
    }
    tree(vectors, common)
}
