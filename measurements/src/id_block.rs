//! The ID block: what the owner of an image signs, so that the security processor itself refuses to start anything else
//! (AMD, "SEV-SNP Firmware ABI", 56860, `SNP_LAUNCH_FINISH`).
//!
//! Layouts and signatures are our own: those of the `sev` crate come only with OpenSSL. Signatures are deterministic (RFC 6979), so
//! that two machines of one owner make the same bytes.

use crate::{MeasureError, tdx::sha384};
use p384::{
    SecretKey,
    ecdsa::{Signature, signature::Signer},
    elliptic_curve::sec1::ToEncodedPoint,
    pkcs8::{DecodePrivateKey, SecretDocument},
};

/// `VERSION` of an ID block.
const VERSION: u32 = 1;
/// ECDSA P-384 with SHA-384, as an algorithm and as a curve.
const ALGORITHM: u32 = 1;
const CURVE: u32 = 2;
/// A number of the curve, little-endian and padded.
const NUMBER: usize = 72;
const SIGNATURE: usize = 512;
const PUBLIC_KEY: usize = 1028;
/// In the ID authentication information: where the block's signature, the ID key, its signature and the author key are.
const BLOCK_SIGNATURE_AT: usize = 0x40;
const ID_KEY_AT: usize = 0x240;
const KEY_SIGNATURE_AT: usize = 0x680;
const AUTHOR_KEY_AT: usize = 0x880;
const AUTHENTICATION: usize = 0x1000;

/// secp384r1, as a tagged object identifier.
const P384: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";

/// How a private key's structure begins: version 1, then the number's tag and its 48 bytes.
const NUMBER_OF_KEY: &[u8] = b"\x02\x01\x01\x04\x30";

/// What a guest may be, `POLICY`: bit 17 must be one, bit 16 allows simultaneous threads, bit 19 would allow debugging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnpPolicy(pub u64);

impl Default for SnpPolicy {
    /// QEMU's default for a guest: threads, and nothing more.
    fn default() -> Self {
        Self(0x3_0000)
    }
}

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdBlock {
    /// The launch digest that a guest must have.
    pub launch_digest: [u8; 48],
    /// The owner's name of a family of images; reports carry it.
    pub family_id: [u8; 16],
    /// The owner's name of the image; reports carry it.
    pub image_id: [u8; 16],
    /// The image's security version; reports carry it.
    pub guest_svn: u32,
    /// The policy that a guest must be started with.
    pub policy: SnpPolicy,
}

/// What QEMU takes, and what a policy pins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// 96 bytes: `id-block=` of `sev-snp-guest`, in base64.
    pub block: Vec<u8>,
    /// 4096 bytes: `id-auth=`, in base64.
    pub authentication: Vec<u8>,
    /// `ID_KEY_DIGEST` of the reports.
    pub id_key_digest: [u8; 48],
    /// `AUTHOR_KEY_DIGEST` of the reports.
    pub author_key_digest: [u8; 48],
}

/// A private key. It is wiped when dropped.
pub struct SigningKey(SecretKey);

impl SigningKey {
    /// Reads a private key of the curve P-384 from PEM, PKCS#8 or SEC1. `role` names it in an error.
    pub fn from_pem(role: &'static str, text: &str) -> Result<Self, MeasureError> {
        Self::read(text)
            .map(Self)
            .map_err(|fault| MeasureError::Key { role, fault })
    }

    fn read(text: &str) -> Result<SecretKey, &'static str> {
        // `openssl ecparam -genkey` writes the curve's parameters before the key.
        let start = ["PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
            .iter()
            .find_map(|label| text.find(&format!("-----BEGIN {label}-----")));
        let block = start.and_then(|start| text.get(start..));
        let block = block.ok_or("it holds no private key in PEM")?;
        let (label, document) =
            SecretDocument::from_pem(block.trim()).map_err(|_| "its PEM is damaged")?;
        let bytes = document.as_bytes();
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        let key = match label {
            "PRIVATE KEY" => SecretKey::from_pkcs8_der(bytes).ok(),
            "EC PRIVATE KEY" => SecretKey::from_sec1_der(bytes).ok(),
            _ => return Err("it is encrypted: decrypt it first (`openssl pkey`)"),
        };
        // The SEC1 parser takes a key of another curve for one of its own.
        if !holds(P384) {
            return Err("it holds a key of another curve or kind");
        }
        key.filter(|_| holds(NUMBER_OF_KEY))
            .ok_or("the key in it is damaged")
    }

    /// Curve and point, as the processor hashes and checks them.
    fn public(&self) -> Vec<u8> {
        let point = self.0.public_key().to_encoded_point(false);
        let mut bytes = CURVE.to_le_bytes().to_vec();
        bytes.extend(number(point.x().map_or(&[], |x| x)));
        bytes.extend(number(point.y().map_or(&[], |y| y)));
        bytes.resize(PUBLIC_KEY, 0);
        bytes
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = p384::ecdsa::SigningKey::from(&self.0).sign(message);
        let (r, s) = signature.split_bytes();
        let mut bytes = [number(&r), number(&s)].concat();
        bytes.resize(SIGNATURE, 0);
        bytes
    }
}

impl IdBlock {
    /// The 96 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            &self.launch_digest[..],
            &self.family_id,
            &self.image_id,
            &VERSION.to_le_bytes(),
            &self.guest_svn.to_le_bytes(),
            &self.policy.0.to_le_bytes(),
        ]
        .concat()
    }

    /// Signs the block with the ID key, and the ID key with the author key.
    pub fn sign(&self, id_key: &SigningKey, author_key: &SigningKey) -> Identity {
        let block = self.to_bytes();
        let (id, author) = (id_key.public(), author_key.public());
        let mut authentication = [ALGORITHM.to_le_bytes(), ALGORITHM.to_le_bytes()].concat();
        for (place, part) in [
            (BLOCK_SIGNATURE_AT, &id_key.sign(&block)),
            (ID_KEY_AT, &id),
            (KEY_SIGNATURE_AT, &author_key.sign(&id)),
            (AUTHOR_KEY_AT, &author),
        ] {
            authentication.resize(place, 0);
            authentication.extend(part);
        }
        authentication.resize(AUTHENTICATION, 0);
        Identity {
            block,
            authentication,
            id_key_digest: sha384(&[&id]),
            author_key_digest: sha384(&[&author]),
        }
    }
}

/// A big-endian number as the processor has it.
fn number(bytes: &[u8]) -> Vec<u8> {
    let mut number: Vec<u8> = bytes.iter().rev().copied().collect();
    number.resize(NUMBER, 0);
    number
}
