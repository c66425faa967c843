//! The signature algorithms of the three vendors, by ring. The one module that knows which library computes them.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

/// The signature is not of this key over this message. Says no more, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadSignature;

/// RSASSA-PSS with SHA-384, MGF1 over SHA-384 and a salt of 48 bytes. `key` is a DER `RSAPublicKey`.
pub(crate) fn verify_rsa_pss(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key)
        .verify(message, signature)
        .map_err(|_| BadSignature)
}

/// RSASSA-PKCS1-v1_5 with SHA-256. The key's numbers are big-endian, without leading zeros.
pub(crate) fn verify_rsa_pkcs1(
    modulus: &[u8],
    exponent: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let key = RsaPublicKeyComponents {
        n: modulus,
        e: exponent,
    };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
        .map_err(|_| BadSignature)
}

/// ECDSA over P-384 with SHA-384. `key` is the uncompressed point, `signature` r and s big-endian, 48 bytes each.
///
/// Refuses points off the curve, and r or s that are zero or not below the order. Large s passes: hardware does not normalise.
pub(crate) fn verify_ecdsa_p384(
    key: &[u8],
    message: &[u8],
    signature: &[u8; 96],
) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
        .verify(message, signature)
        .map_err(|_| BadSignature)
}

/// ECDSA over P-256 with SHA-256. `key` is the uncompressed point, `signature` r and s big-endian, 32 bytes each.
///
/// Refuses and passes what [`verify_ecdsa_p384`] does.
pub(crate) fn verify_ecdsa_p256(
    key: &[u8; 65],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
        .verify(message, signature)
        .map_err(|_| BadSignature)
}

/// As [`verify_ecdsa_p256`], with r and s in DER, as X.509 has them. Each signature has one encoding.
pub(crate) fn verify_ecdsa_p256_der(
    key: &[u8; 65],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
        .verify(message, signature)
        .map_err(|_| BadSignature)
}

/// Ed25519 (RFC 8032), over the message itself.
pub(crate) fn verify_ed25519(
    key: &[u8; 32],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(&ED25519, key)
        .verify(message, signature)
        .map_err(|_| BadSignature)
}
