//! What a library must compute, and the keys that it computes with.

use crate::encoding::der::{self, Der, tag};

/// An uncompressed point on P-256.
pub(crate) type PointP256 = [u8; 65];
/// An uncompressed point on P-384.
pub(crate) type PointP384 = [u8; 97];

/// What a library must compute. Keys and signatures already have the right form; the library decides whether they are valid.
pub(super) trait Backend {
    /// The name of its cargo feature.
    const NAME: &'static str;

    fn sha1(parts: &[&[u8]]) -> [u8; 20];
    fn sha256(parts: &[&[u8]]) -> [u8; 32];
    fn sha384(parts: &[&[u8]]) -> [u8; 48];
    fn sha512(parts: &[&[u8]]) -> [u8; 64];

    /// With SHA-256 and SHA-384. Both refuse points off the curve, and r or s that are zero or not below the order.
    fn ecdsa_p256(key: &PointP256, message: &[u8], signature: &[u8; 64]) -> bool;
    fn ecdsa_p384(key: &PointP384, message: &[u8], signature: &[u8; 96]) -> bool;

    /// RFC 8032, over the message itself.
    fn ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;

    /// With SHA-384, MGF1 over SHA-384 and a salt of 48 bytes. Refuses any length other than that of the modulus.
    fn rsa_pss(key: &RsaKey<'_>, message: &[u8], signature: &[u8]) -> bool;

    /// RSASSA-PKCS1-v1_5 with SHA-256. Refuses any length other than that of the modulus.
    fn rsa_pkcs1(key: &RsaKey<'_>, message: &[u8], signature: &[u8]) -> bool;
}

/// An RSA key with the only sizes and the only exponent that the vendors use: 2048 to 4096 bits, 65537.
pub(super) struct RsaKey<'a> {
    /// Big-endian, its first byte and its last bit not zero.
    pub(super) modulus: &'a [u8],
}

impl<'a> RsaKey<'a> {
    /// Big-endian.
    pub(super) const EXPONENT: [u8; 3] = [1, 0, 1];

    /// Reads `SEQUENCE { modulus, exponent }`, DER.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut outer = Der::new(bytes);
        let mut numbers = outer.enter(tag::SEQUENCE)?;
        outer.end()?;
        let modulus = der::magnitude(numbers.take(tag::INTEGER)?)?;
        let exponent = der::magnitude(numbers.take(tag::INTEGER)?)?;
        numbers.end()?;
        Self::of(modulus, exponent)
    }

    /// Reads two numbers, big-endian, without leading zeros.
    pub(super) fn of(modulus: &'a [u8], exponent: &[u8]) -> Option<Self> {
        let whole_bytes = modulus.first().is_some_and(|first| *first >= 0x80);
        let odd = modulus.last().is_some_and(|last| last & 1 == 1);
        let fits = (256..=512).contains(&modulus.len()) && exponent == Self::EXPONENT;
        (whole_bytes && odd && fits).then_some(Self { modulus })
    }
}
