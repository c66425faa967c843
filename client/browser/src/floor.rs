//! What a verification is made of: single signatures, by the libraries that the verifier uses. The benchmark divides by them; no package
//! hands them on.

use p384::ecdsa::signature::Verifier;
use rsa::{BigUint, RsaPublicKey, pss};
use sha2::Sha384;
use wasm_bindgen::prelude::wasm_bindgen;

/// AMD's public exponent.
const EXPONENT: u32 = 65_537;

/// Whether an ECDSA signature with P-384 and SHA-384, `r` and `s`, is good. The key is an uncompressed point.
#[wasm_bindgen]
pub fn ecdsa_p384(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key);
    let signature = p384::ecdsa::Signature::from_slice(signature);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
}

/// Whether an RSASSA-PSS signature with SHA-384 is good. The key is its modulus.
#[wasm_bindgen]
pub fn rsa_pss(modulus: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = RsaPublicKey::new(BigUint::from_bytes_be(modulus), EXPONENT.into());
    let (Ok(key), Ok(signature)) = (key, pss::Signature::try_from(signature)) else {
        return false;
    };
    let key = pss::VerifyingKey::<Sha384>::new(key);
    key.verify(message, &signature).is_ok()
}
