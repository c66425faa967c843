//! The vendors' signature algorithms and hashes. The only module that knows which library computes them.
//!
//! There are three, each behind a feature of this crate, and each with a file here that calls it:
//!
//! | feature | library | used by |
//! |---|---|---|
//! | `aws-lc-rs` | AWS-LC, in C and assembly | the client and the command line: P-384 is four times as fast |
//! | `ring` (default) | ring, in C, assembly and Rust | the enclave and the host, which link it for TLS anyway |
//! | `rustcrypto` | the crates of `RustCrypto`, in Rust alone | where neither of the two compiles |
//!
//! Features add up over a build, so several may be on: the first in this table is then used. What counts as a key and as a signature
//! is decided here, before any of them is called: all three accept and refuse the same, and a test ensures that.

#[cfg(any(test, feature = "aws-lc-rs", feature = "ring"))]
mod alike;
mod backend;
#[cfg(any(test, not(any(feature = "aws-lc-rs", feature = "ring"))))]
mod rustcrypto;
#[cfg(test)]
mod tests;

#[cfg(feature = "aws-lc-rs")]
use self::alike::aws_lc::Chosen;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use self::alike::ring::Chosen;
#[cfg(all(
    feature = "rustcrypto",
    not(any(feature = "aws-lc-rs", feature = "ring"))
))]
use self::rustcrypto::Chosen;
#[cfg(not(any(feature = "aws-lc-rs", feature = "ring", feature = "rustcrypto")))]
compile_error!(
    "chrysalis-attestation needs a cryptography library: turn on `ring`, `aws-lc-rs` or `rustcrypto`"
);

use self::backend::{Backend, RsaKey};
pub(crate) use self::backend::{PointP256, PointP384};
use crate::encoding::der;

/// The library in use, by the name of its cargo feature.
pub const BACKEND: &str = Chosen::NAME;

/// The signature was not made by this key over this message. Deliberately says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSignature;

impl std::fmt::Display for BadSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the signature was not made by this key over this message")
    }
}

impl std::error::Error for BadSignature {}

/// RSASSA-PSS with SHA-384, MGF1 over SHA-384 and a salt of 48 bytes. `key` is a DER `RSAPublicKey`.
pub(crate) fn verify_rsa_pss(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    rsa_pss_by::<Chosen>(key, message, signature)
}

/// RSASSA-PKCS1-v1_5 with SHA-256. The key's numbers are big-endian, without leading zeros.
pub(crate) fn verify_rsa_pkcs1(
    modulus: &[u8],
    exponent: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    rsa_pkcs1_by::<Chosen>((modulus, exponent), message, signature)
}

/// ECDSA over P-384 with SHA-384. `key` is the uncompressed point, `signature` r and s big-endian, 48 bytes each.
///
/// Refuses points off the curve, and r or s that are zero or not below the order. Large s is accepted: hardware does not normalise.
pub(crate) fn verify_ecdsa_p384(
    key: &[u8],
    message: &[u8],
    signature: &[u8; 96],
) -> Result<(), BadSignature> {
    ecdsa_p384_by::<Chosen>(key, message, signature)
}

/// ECDSA over P-256 with SHA-256. `key` is the uncompressed point, `signature` r and s big-endian, 32 bytes each.
///
/// Accepts and refuses the same as [`verify_ecdsa_p384`].
pub(crate) fn verify_ecdsa_p256(
    key: &PointP256,
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), BadSignature> {
    ecdsa_p256_by::<Chosen>(key, message, signature)
}

/// Like [`verify_ecdsa_p256`], with r and s in DER, as in X.509. Each signature has only one encoding.
pub(crate) fn verify_ecdsa_p256_der(
    key: &PointP256,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let signature = der::pair_of_numbers(signature).ok_or(BadSignature)?;
    verify_ecdsa_p256(key, message, &signature)
}

/// Ed25519 (RFC 8032), over the message itself. Refuses a second half that is not below the order.
pub fn verify_ed25519(
    key: &[u8; 32],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), BadSignature> {
    said(Chosen::ed25519(key, message, signature))
}

/// SHA-1 of the parts, one after the other: OCSP's name for a key. Nothing may depend on its strength.
pub(crate) fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    Chosen::sha1(parts)
}

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Chosen::sha256(parts)
}

/// SHA-384 of the parts, one after the other.
pub(crate) fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    Chosen::sha384(parts)
}

/// SHA-512 of the parts, one after the other.
pub(crate) fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    Chosen::sha512(parts)
}

fn rsa_pss_by<B: Backend>(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let key = RsaKey::parse(key).ok_or(BadSignature)?;
    said(B::rsa_pss(&key, message, signature))
}

fn rsa_pkcs1_by<B: Backend>(
    (modulus, exponent): (&[u8], &[u8]),
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let key = RsaKey::of(modulus, exponent).ok_or(BadSignature)?;
    said(B::rsa_pkcs1(&key, message, signature))
}

fn ecdsa_p384_by<B: Backend>(
    key: &[u8],
    message: &[u8],
    signature: &[u8; 96],
) -> Result<(), BadSignature> {
    // Some libraries also read compressed points and whole key structures here.
    let key: &PointP384 = key.try_into().map_err(|_| BadSignature)?;
    said(is_uncompressed(key) && B::ecdsa_p384(key, message, signature))
}

fn ecdsa_p256_by<B: Backend>(
    key: &PointP256,
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), BadSignature> {
    said(is_uncompressed(key) && B::ecdsa_p256(key, message, signature))
}

fn is_uncompressed(point: &[u8]) -> bool {
    point.first() == Some(&4)
}

fn said(holds: bool) -> Result<(), BadSignature> {
    if holds { Ok(()) } else { Err(BadSignature) }
}
