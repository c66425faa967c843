//! The crates of the `RustCrypto` project: no C, and no assembly that a target might not support.

use p256::ecdsa::signature::Verifier;
use rsa::BigUint;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::backend::{Backend, PointP256, PointP384, RsaKey};

pub(super) struct Chosen;

impl Backend for Chosen {
    const NAME: &'static str = "rustcrypto";

    fn sha1(parts: &[&[u8]]) -> [u8; 20] {
        hash::<Sha1>(parts).into()
    }

    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        hash::<Sha256>(parts).into()
    }

    fn sha384(parts: &[&[u8]]) -> [u8; 48] {
        hash::<Sha384>(parts).into()
    }

    fn sha512(parts: &[&[u8]]) -> [u8; 64] {
        hash::<Sha512>(parts).into()
    }

    fn ecdsa_p256(key: &PointP256, message: &[u8], signature: &[u8; 64]) -> bool {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key);
        let signature = p256::ecdsa::Signature::from_slice(signature);
        matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
    }

    fn ecdsa_p384(key: &PointP384, message: &[u8], signature: &[u8; 96]) -> bool {
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key);
        let signature = p384::ecdsa::Signature::from_slice(signature);
        matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
    }

    fn ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        ed25519_dalek::VerifyingKey::from_bytes(key)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }

    fn rsa_pss(key: &RsaKey<'_>, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = rsa::pss::Signature::try_from(signature) else {
            return false;
        };
        // The salt is as long as the hash.
        public_key(key).is_some_and(|key| {
            rsa::pss::VerifyingKey::<Sha384>::new(key)
                .verify(message, &signature)
                .is_ok()
        })
    }

    fn rsa_pkcs1(key: &RsaKey<'_>, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = rsa::pkcs1v15::Signature::try_from(signature) else {
            return false;
        };
        public_key(key).is_some_and(|key| {
            rsa::pkcs1v15::VerifyingKey::<Sha256>::new(key)
                .verify(message, &signature)
                .is_ok()
        })
    }
}

fn public_key(key: &RsaKey<'_>) -> Option<rsa::RsaPublicKey> {
    let modulus = BigUint::from_bytes_be(key.modulus);
    rsa::RsaPublicKey::new(modulus, BigUint::from_bytes_be(&RsaKey::EXPONENT)).ok()
}

fn hash<D: Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize()
}
