//! SHA-384, as TDX measures everything.

use sha2::{Digest, Sha384};

/// A SHA-384 digest.
pub type Sha384Digest = [u8; 48];

/// SHA-384 of these parts, one after the other.
pub(crate) fn sha384(parts: &[&[u8]]) -> Sha384Digest {
    let mut hash = Sha384::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}
