//! The two signature algorithms of SEV-SNP, by ring. The one module that knows which library computes them.

use ring::signature::{ECDSA_P384_SHA384_FIXED, RSA_PSS_2048_8192_SHA384, UnparsedPublicKey};

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
