//! How vendors' keys sign certificates, and the three private keys of the simulated AMD.
//!
//! The ARK and the ASK sign like AMD's: RSA-4096, RSASSA-PSS, SHA-384, MGF1-SHA-384, salt of 48 bytes. The VCEK signs
//! reports with ECDSA P-384.

use crate::{
    SimulateError,
    line::{GENOA, Line},
    tlv::{tag, tlv},
    x509::{SignCertificates, oid},
};
use der::{Decode, asn1::BitString, pem::LineEnding};
use p384::ecdsa;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rsa::{
    Pss, RsaPrivateKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey},
};
use sha2::{Digest, Sha256, Sha384};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

/// AMD's key size.
const RSA_BITS: usize = 4096;
const SHA384: &str = "2.16.840.1.101.3.4.2.2";
/// As long as the digest.
const SALT_LENGTH: usize = 48;

/// RSASSA-PSS as named in certificates (RFC 4055 §3.1), for tests that name it wrongly. AMD's is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PssParameters {
    /// The hash's OID.
    pub hash: &'static str,
    /// The mask generation function's OID.
    pub mask_generation: &'static str,
    /// The OID of the hash that it uses.
    pub mask_hash: &'static str,
    /// The salt's length in bytes.
    pub salt_length: u8,
    /// The trailer field: 1, which DER omits.
    pub trailer: u8,
}

impl Default for PssParameters {
    fn default() -> Self {
        Self {
            hash: SHA384,
            mask_generation: "1.2.840.113549.1.1.8",
            mask_hash: SHA384,
            salt_length: 48,
            trailer: 1,
        }
    }
}

impl PssParameters {
    /// The `AlgorithmIdentifier`, DER.
    pub fn algorithm(&self) -> Vec<u8> {
        let named = |id, parameters: &[u8]| {
            let id = tlv(tag::OID, &[oid(id).as_bytes()]);
            tlv(tag::SEQUENCE, &[&id, parameters])
        };
        let number = |number: u8| tlv(tag::INTEGER, &[&[number]]);
        let null = tlv(tag::NULL, &[]);
        let mask = named(self.mask_generation, &named(self.mask_hash, &null));
        let mut parameters = vec![
            tlv(tag::context(0), &[&named(self.hash, &null)]),
            tlv(tag::context(1), &[&mask]),
            tlv(tag::context(2), &[&number(self.salt_length)]),
        ];
        if self.trailer != 1 {
            parameters.push(tlv(tag::context(3), &[&number(self.trailer)]));
        }
        let parameters = tlv(tag::SEQUENCE, &[&parameters.concat()]);
        named("1.2.840.113549.1.1.10", &parameters)
    }
}

/// The keys of one vendor and of its one chip.
pub(crate) struct Keys {
    /// The chip's product line, which the certificates name.
    pub(crate) line: &'static Line,
    pub(crate) ark: CertificateKey,
    pub(crate) ask: CertificateKey,
    pub(crate) vcek: ecdsa::SigningKey,
}

impl Keys {
    /// Makes all three, reporting to `progress` before each slow step.
    pub(crate) fn generate(
        random: &mut ChaCha20Rng,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, SimulateError> {
        progress("making the RSA-4096 key of the simulated AMD root (ARK), a few seconds");
        let ark = CertificateKey::generate("ARK", random)?;
        progress("making the RSA-4096 key of the simulated AMD signer (ASK), a few seconds");
        let ask = CertificateKey::generate("ASK", random)?;
        Ok(Self {
            line: &GENOA,
            ark,
            ask,
            vcek: ecdsa::SigningKey::random(random),
        })
    }
}

/// An RSA key that signs certificates and revocation lists.
pub(crate) struct CertificateKey {
    who: &'static str,
    key: RsaPrivateKey,
}

impl CertificateKey {
    fn generate(who: &'static str, random: &mut ChaCha20Rng) -> Result<Self, SimulateError> {
        let key = RsaPrivateKey::new(random, RSA_BITS)
            .map_err(|source| SimulateError::Rsa { who, source })?;
        Ok(Self { who, key })
    }

    /// Reads PKCS#8 PEM.
    pub(crate) fn from_pem(who: &'static str, pem: &str) -> Option<Self> {
        Some(Self {
            who,
            key: RsaPrivateKey::from_pkcs8_pem(pem).ok()?,
        })
    }

    /// PKCS#8 PEM.
    pub(crate) fn to_pem(&self) -> Result<String, SimulateError> {
        let pem = self.key.to_pkcs8_pem(LineEnding::LF);
        Ok(pem
            .map_err(SimulateError::encoding("private key"))?
            .to_string())
    }
}

impl SignCertificates for CertificateKey {
    fn algorithm(&self) -> Result<AlgorithmIdentifierOwned, SimulateError> {
        rsa::pss::get_default_pss_signature_algo_id::<Sha384>()
            .map_err(SimulateError::encoding("signature algorithm"))
    }

    fn public(&self) -> Result<SubjectPublicKeyInfoOwned, SimulateError> {
        public_key(&self.key.to_public_key())
    }

    /// The salt is drawn from the message: RSASSA-PSS does not need it to be secret.
    fn sign(&self, message: &[u8]) -> Result<BitString, SimulateError> {
        let mut salt = ChaCha20Rng::from_seed(Sha256::digest(message).into());
        let padding = Pss::new_with_salt::<Sha384>(SALT_LENGTH);
        let signature = self
            .key
            .sign_with_rng(&mut salt, padding, &Sha384::digest(message))
            .map_err(|source| SimulateError::Rsa {
                who: self.who,
                source,
            })?;
        BitString::from_bytes(&signature).map_err(SimulateError::encoding("signature"))
    }
}

/// A `SubjectPublicKeyInfo` via its DER, which every key of these libraries can write.
pub(crate) fn public_key(
    key: &impl EncodePublicKey,
) -> Result<SubjectPublicKeyInfoOwned, SimulateError> {
    let document = key
        .to_public_key_der()
        .map_err(SimulateError::encoding("public key"))?;
    SubjectPublicKeyInfoOwned::from_der(document.as_bytes())
        .map_err(SimulateError::encoding("public key"))
}
