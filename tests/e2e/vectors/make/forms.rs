//! Forms that a certificate must not have: names of other algorithms, and other encodings of what nobody signs.

use chrysalis_simulate::{Profile, Signer};

/// `AlgorithmIdentifier` of ECDSA with SHA-256, DER: 1.2.840.10045.4.3.2.
pub(crate) const ECDSA_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
/// ECDSA with SHA-384 and with parameters, which it must not have (RFC 5758 §3.2): NULL.
pub(crate) const ECDSA_SHA384_AND_NULL: &[u8] =
    &[0x30, 12, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3, 5, 0];
/// `AlgorithmIdentifier` of a key on brainpoolP384r1, DER: 1.3.36.3.3.2.8.1.1.11 (RFC 5639).
pub(crate) const ON_BRAINPOOL_P384: &[u8] = &[
    0x30, 20, 6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1, 6, 9, 0x2B, 0x24, 3, 3, 2, 8, 1, 1, 11,
];
/// `AlgorithmIdentifier` of a key on secp256k1, DER: 1.3.132.0.10 (SEC 2).
pub(crate) const ON_SECP256K1: &[u8] = &[
    0x30, 16, 6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1, 6, 5, 0x2B, 0x81, 4, 0, 10,
];
/// `AlgorithmIdentifier` of a key on P-384 for key agreement alone, DER: id-ecDH (RFC 5480 §2.1.2).
pub(crate) const FOR_AGREEMENT_ON_P384: &[u8] = &[
    0x30, 14, 6, 5, 0x2B, 0x81, 4, 1, 12, 6, 5, 0x2B, 0x81, 4, 0, 0x22,
];
/// The same on P-256.
pub(crate) const FOR_AGREEMENT_ON_P256: &[u8] = &[
    0x30, 17, 6, 5, 0x2B, 0x81, 4, 1, 12, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7,
];

/// Has a certificate's signature say that its last bit does not count. That bit is zero in one of two: the first of those.
pub(crate) fn spare_a_bit(profile: &mut Profile, issuer: &Signer) {
    let ends_even = |serial: &u128| {
        let numbered = Profile {
            serial: Some(*serial),
            ..profile.clone()
        };
        let signed = issuer.issue(numbered);
        signed.der.last().is_some_and(|it| it % 2 == 0)
    };
    profile.serial = (1..1000).find(ends_even);
    profile.form.unused_bits_of_signature = 1;
}

/// Writes the length of a certificate's signature, two numbers in a sequence, in two bytes where one would do.
pub(crate) fn lengthen(der: &mut Vec<u8>) {
    // A bit string without unused bits, in which there is nothing but a sequence.
    let is_signature = |it: &[u8]| matches!(it, [size, 0, 0x30, inside] if *size == inside + 3);
    let place = der.windows(4).rposition(is_signature);
    let place = place.expect("a signature");
    der[place] += 2;
    der.splice(place + 3..place + 3, [0x82, 0]);
    grown(der);
}

/// Adds a NULL to a certificate, behind the signature, where nobody signs it.
pub(crate) fn add_a_part(der: &mut Vec<u8>) {
    der.extend([5, 0]);
    grown(der);
}

/// Says that a certificate is two bytes longer.
fn grown(der: &mut [u8]) {
    let [0x30, 0x82, high, low, ..] = der[..] else {
        panic!("the certificate has less than 256 bytes")
    };
    let length = u16::from_be_bytes([high, low]) + 2;
    der[2..4].copy_from_slice(&length.to_be_bytes());
}
