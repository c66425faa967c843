//! Public keys that sign releases, rebuilds and logs: Ed25519, or ECDSA over P-256 with SHA-256.

use super::development::{self, Development};
use crate::{
    Rejection, crypto,
    encoding::{
        digest::{Hex, sha256},
        pem,
    },
};

/// The prefix of the key in the only DER encoding of an Ed25519 `SubjectPublicKeyInfo` (RFC 8410 §4).
const ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// The same for an uncompressed point on P-256 (RFC 5480 §2.1.1 and §2.2).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// A PEM file with one of these keys has 178 bytes.
const MAX_FILE: usize = 4096;

/// SHA-256 of a key's DER `SubjectPublicKeyInfo`: a key's name wherever one is shown.
pub type KeyId = Hex<32>;

/// A key to verify signatures with. Two are equal if and only if their DER is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Ed25519([u8; 32]),
    P256([u8; 65]),
}

impl PublicKey {
    /// An Ed25519 key from its 32 bytes. The development key is refused, here and wherever a key is read.
    pub fn from_ed25519(key: [u8; 32]) -> Result<Self, Rejection> {
        Self(Kind::Ed25519(key)).accepted(Development::Refused)
    }

    /// A P-256 key from its uncompressed point, 65 bytes.
    pub fn from_p256(point: [u8; 65]) -> Result<Self, Rejection> {
        match point.first() {
            Some(4) => Ok(Self(Kind::P256(point))),
            _ => Err(Rejection::ReleaseKeyMalformed),
        }
    }

    /// Reads a DER `SubjectPublicKeyInfo`.
    pub fn from_spki(der: &[u8]) -> Result<Self, Rejection> {
        Self::from_spki_with(der, Development::Refused)
    }

    /// The same, where the development key may be allowed.
    pub fn from_spki_with(der: &[u8], development: Development) -> Result<Self, Rejection> {
        let after = |prefix| der.strip_prefix(prefix);
        if let Some(key) = after(&ED25519[..]).and_then(|key| key.try_into().ok()) {
            return Self(Kind::Ed25519(key)).accepted(development);
        }
        let point = after(&P256[..]).and_then(|point| point.try_into().ok());
        Self::from_p256(point.ok_or(Rejection::ReleaseKeyMalformed)?)
    }

    /// Reads a file: DER, or PEM with one `PUBLIC KEY`.
    pub fn read(file: &[u8]) -> Result<Self, Rejection> {
        Self::read_with(file, Development::Refused)
    }

    /// The same, where the development key may be allowed.
    pub fn read_with(file: &[u8], development: Development) -> Result<Self, Rejection> {
        if file.len() > MAX_FILE {
            return Err(Rejection::ReleaseKeyMalformed);
        }
        if !pem::is_pem(file) {
            return Self::from_spki_with(file, development);
        }
        match pem::labelled("PUBLIC KEY", file).as_deref() {
            Some([der]) => Self::from_spki_with(der, development),
            _ => Err(Rejection::ReleaseKeyMalformed),
        }
    }

    /// Whether this is the development key, with which anyone can sign.
    pub fn is_development(&self) -> bool {
        self.0 == Kind::Ed25519(development::KEY)
    }

    fn accepted(self, development: Development) -> Result<Self, Rejection> {
        if self.is_development() && development == Development::Refused {
            return Err(Rejection::DevelopmentKey);
        }
        Ok(self)
    }

    /// DER `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> Vec<u8> {
        match &self.0 {
            Kind::Ed25519(key) => [&ED25519[..], key].concat(),
            Kind::P256(point) => [&P256[..], point].concat(),
        }
    }

    /// The key's name.
    pub fn id(&self) -> KeyId {
        Hex(sha256(&[&self.spki()]))
    }

    /// The 32 bytes of an Ed25519 key; `None` for another kind.
    pub fn ed25519(&self) -> Option<&[u8; 32]> {
        match &self.0 {
            Kind::Ed25519(key) => Some(key),
            Kind::P256(_) => None,
        }
    }

    /// Whether this key signed the message. ECDSA signatures are in DER, Ed25519's are 64 bytes.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.0 {
            Kind::Ed25519(key) => match signature.try_into() {
                Ok(signature) => crypto::verify_ed25519(key, message, signature),
                Err(_) => return false,
            },
            Kind::P256(point) => crypto::verify_ecdsa_p256_der(point, message, signature),
        };
        verified.is_ok()
    }
}
