//! The virtual TPM's attestation key, as named in the runtime data that accompany the report.
//!
//! Read only once the report is known to cover the runtime data: JSON has many ways to say the same thing.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use crate::{Rejection, crypto};

/// The name of the key that signs quotes.
const KEY_ID: &str = "HCLAkPub";
/// RSA-2048 to RSA-4096. Azure's have 2048 bits.
const MODULUS_SIZES: std::ops::RangeInclusive<usize> = 256..=512;
/// The longest public exponent; Azure's is 65537.
const MAX_EXPONENT: usize = 4;

/// The part of the runtime data that is read.
#[derive(Deserialize)]
struct RuntimeData {
    keys: Vec<Jwk>,
}

/// A key in JSON. (RFC 7517.)
#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    n: Option<String>,
    e: Option<String>,
}

/// An RSA key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl Key {
    /// The only key with this name.
    pub(super) fn parse(runtime_data: &[u8]) -> Result<Self, Rejection> {
        let wrong = |what| Rejection::VtpmKey { what };
        let data: RuntimeData = serde_json::from_slice(runtime_data)
            .map_err(|_| wrong("it is not JSON with a list of keys"))?;
        let mut found = data.keys.into_iter().filter(|key| key.kid == KEY_ID);
        let (Some(key), None) = (found.next(), found.next()) else {
            return Err(wrong("it has no key HCLAkPub, or two"));
        };
        if key.kty != "RSA" {
            return Err(wrong("its key HCLAkPub is not RSA"));
        }
        let number = |text: Option<String>| {
            let bytes = BASE64URL_NOPAD.decode(text?.as_bytes()).ok()?;
            // A leading zero would be a second way to write the same number.
            bytes
                .first()
                .is_some_and(|first| *first != 0)
                .then_some(bytes)
        };
        let (Some(modulus), Some(exponent)) = (number(key.n), number(key.e)) else {
            return Err(wrong(
                "its key HCLAkPub is not written as RFC 7518 requires",
            ));
        };
        if !MODULUS_SIZES.contains(&modulus.len()) || exponent.len() > MAX_EXPONENT {
            return Err(wrong("its key HCLAkPub is shorter or longer than a TPM's"));
        }
        Ok(Self { modulus, exponent })
    }

    /// Whether this key signed the message. RSASSA-PKCS1-v1_5 with SHA-256.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        crypto::verify_rsa_pkcs1(&self.modulus, &self.exponent, message, signature)
            .map_err(|_| Rejection::VtpmQuoteSignature)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HCLAkPub, RSA-{}", self.modulus.len() * 8)
    }
}
