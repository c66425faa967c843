//! Elliptic-curve keys of simulated vendors: P-384 with SHA-384 like NVIDIA's, P-256 with SHA-256 like Intel's.
//!
//! Each follows from a seed, and signatures are deterministic (RFC 6979): the same seed signs the same bytes.

use crate::{
    SimulateError,
    signing::public_key,
    x509::{SignCertificates, oid},
};
use chrysalis_attestation::encoding::digest::sha256;
use der::asn1::BitString;
use p256::ecdsa::signature::Signer;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

/// Which curve a vendor uses for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// Intel.
    P256,
    /// NVIDIA.
    P384,
}

/// A private key. Anyone who knows the seed has it, so it is not a secret.
#[derive(Clone)]
pub(crate) enum Key {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
}

impl Key {
    pub(crate) fn from_seed(curve: Curve, seed: [u8; 32]) -> Self {
        let mut random = ChaCha20Rng::from_seed(seed);
        match curve {
            Curve::P256 => Self::P256(p256::ecdsa::SigningKey::random(&mut random)),
            Curve::P384 => Self::P384(p384::ecdsa::SigningKey::random(&mut random)),
        }
    }

    /// r and s in DER, as in X.509 and OCSP.
    pub(crate) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
        }
    }

    /// r and s big-endian, as in reports and documents.
    pub(crate) fn sign_fixed(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }

    /// The public key: an uncompressed point, 4 ‖ x ‖ y.
    pub(crate) fn point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.verifying_key().to_sec1_bytes().into(),
            Self::P384(key) => key.verifying_key().to_sec1_bytes().into(),
        }
    }
}

impl SignCertificates for Key {
    /// ECDSA with the curve's hash, without parameters: RFC 5758 §3.2.
    fn algorithm(&self) -> Result<AlgorithmIdentifierOwned, SimulateError> {
        Ok(AlgorithmIdentifierOwned {
            oid: match self {
                Self::P256(_) => oid("1.2.840.10045.4.3.2"),
                Self::P384(_) => oid("1.2.840.10045.4.3.3"),
            },
            parameters: None,
        })
    }

    fn public(&self) -> Result<SubjectPublicKeyInfoOwned, SimulateError> {
        match self {
            Self::P256(key) => public_key(key.verifying_key()),
            Self::P384(key) => public_key(key.verifying_key()),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<BitString, SimulateError> {
        BitString::from_bytes(&self.sign_der(message)).map_err(SimulateError::encoding("signature"))
    }
}

/// A seed derived from `seed` for this name. `number` distinguishes seeds with the same name.
pub(crate) fn seed_below(seed: &[u8; 32], name: &str, number: u64) -> [u8; 32] {
    sha256(&[seed, &number.to_be_bytes(), name.as_bytes()])
}
