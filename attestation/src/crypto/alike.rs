//! ring and AWS-LC, which has the same Rust interface: one text for both.

macro_rules! backend {
    ($module:ident, $library:ident, $name:literal) => {
        pub(super) mod $module {
            use ::$library::{
                digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512},
                signature::{
                    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519,
                    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RsaPublicKeyComponents,
                    UnparsedPublicKey,
                },
            };

            use crate::crypto::backend::{Backend, PointP256, PointP384, RsaKey};

            pub(crate) struct Chosen;

            impl Backend for Chosen {
                const NAME: &'static str = $name;

                fn sha1(parts: &[&[u8]]) -> [u8; 20] {
                    hash(&SHA1_FOR_LEGACY_USE_ONLY, parts)
                }

                fn sha256(parts: &[&[u8]]) -> [u8; 32] {
                    hash(&SHA256, parts)
                }

                fn sha384(parts: &[&[u8]]) -> [u8; 48] {
                    hash(&SHA384, parts)
                }

                fn sha512(parts: &[&[u8]]) -> [u8; 64] {
                    hash(&SHA512, parts)
                }

                fn ecdsa_p256(key: &PointP256, message: &[u8], signature: &[u8; 64]) -> bool {
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
                        .verify(message, signature)
                        .is_ok()
                }

                fn ecdsa_p384(key: &PointP384, message: &[u8], signature: &[u8; 96]) -> bool {
                    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
                        .verify(message, signature)
                        .is_ok()
                }

                fn ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
                    UnparsedPublicKey::new(&ED25519, key)
                        .verify(message, signature)
                        .is_ok()
                }

                fn rsa_pss(key: &RsaKey<'_>, message: &[u8], signature: &[u8]) -> bool {
                    components(key)
                        .verify(&RSA_PSS_2048_8192_SHA384, message, signature)
                        .is_ok()
                }

                fn rsa_pkcs1(key: &RsaKey<'_>, message: &[u8], signature: &[u8]) -> bool {
                    components(key)
                        .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                        .is_ok()
                }
            }

            fn components<'a>(key: &RsaKey<'a>) -> RsaPublicKeyComponents<&'a [u8]> {
                RsaPublicKeyComponents {
                    n: key.modulus,
                    e: &RsaKey::EXPONENT,
                }
            }

            fn hash<const N: usize>(algorithm: &'static Algorithm, parts: &[&[u8]]) -> [u8; N] {
                let mut context = Context::new(algorithm);
                for part in parts {
                    context.update(part);
                }
                let mut out = [0; N];
                out.copy_from_slice(context.finish().as_ref());
                out
            }
        }
    };
}

#[cfg(any(test, all(feature = "ring", not(feature = "aws-lc-rs"))))]
backend!(ring, ring, "ring");
#[cfg(any(test, feature = "aws-lc-rs"))]
backend!(aws_lc, aws_lc_rs, "aws-lc-rs");
