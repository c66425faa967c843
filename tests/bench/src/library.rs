//! One signature, as the library that this program was built with offers it to anybody.

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs as library;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use ring as library;

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod called {
    use super::library::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PSS_2048_8192_SHA384,
        UnparsedPublicKey,
    };

    pub(crate) fn ecdsa_p256(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
        key.verify(message, signature).is_ok()
    }

    pub(crate) fn ecdsa_p384(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key);
        key.verify(message, signature).is_ok()
    }

    pub(crate) fn rsa_pss(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key);
        key.verify(message, signature).is_ok()
    }
}

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
mod called {
    use p256::ecdsa::signature::Verifier;
    use rsa::pkcs1::DecodeRsaPublicKey;

    pub(crate) fn ecdsa_p256(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key);
        let signature = p256::ecdsa::Signature::from_slice(signature);
        matches!((key, signature), (Ok(key), Ok(it)) if key.verify(message, &it).is_ok())
    }

    pub(crate) fn ecdsa_p384(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key);
        let signature = p384::ecdsa::Signature::from_slice(signature);
        matches!((key, signature), (Ok(key), Ok(it)) if key.verify(message, &it).is_ok())
    }

    pub(crate) fn rsa_pss(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let key = rsa::RsaPublicKey::from_pkcs1_der(key);
        let signature = rsa::pss::Signature::try_from(signature);
        let (Ok(key), Ok(signature)) = (key, signature) else {
            return false;
        };
        let key = rsa::pss::VerifyingKey::<sha2::Sha384>::new(key);
        key.verify(message, &signature).is_ok()
    }
}

pub(crate) use called::{ecdsa_p256, ecdsa_p384, rsa_pss};
