//! The three hashes of this library, by ring.

use ring::digest;

/// SHA-256 of the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    hash(&digest::SHA256, parts)
}

/// SHA-384 of the parts, one after the other.
pub fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    hash(&digest::SHA384, parts)
}

/// SHA-512 of the parts, one after the other.
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    hash(&digest::SHA512, parts)
}

fn hash<const N: usize>(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> [u8; N] {
    let mut context = digest::Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; N];
    out.copy_from_slice(context.finish().as_ref());
    out
}
