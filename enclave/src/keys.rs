//! The fourth step: the keys. One ends TLS, one signs receipts. They are made in memory, never written, and overwritten when the
//! enclave's trust ends ([`Keys::wipe`]); otherwise they go with the machine.
//!
//! There is one copy of each, ring's: rcgen and rustls get a way to sign, not the key. ring returns a new key as PKCS#8, which
//! is used on the stack and wiped there, with whatever ring left around it. The same goes for each signature: ring's
//! intermediate values would tell the key as well.

mod secret;
#[cfg(test)]
mod tests;

use std::{fmt, hint::black_box, sync::Arc};

use chrysalis_attestation::evidence::{Evidence, ID_PE_CMW};
use chrysalis_wire::boot::Stage;
use rcgen::{CertificateParams, CustomExtension, DnType, PublicKeyData};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use rustls::{
    SignatureAlgorithm, SignatureScheme,
    sign::{CertifiedKey, Signer, SigningKey},
};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use zeroize::Zeroize;

use crate::{
    boot::Ground,
    configuration::Measured,
    disks::{Disks, Opened},
    failure::Failure,
};
use secret::Secret;

/// An enclave with keys that only it has.
pub(crate) struct Keyed {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) disks: Disks,
    pub(crate) keys: Keys,
}

impl Opened {
    /// Makes the keys, only now that there is something to serve with them.
    pub(crate) async fn make_keys(self) -> Result<Keyed, Failure> {
        let keys = Keys::make().map_err(|error| Failure::Keys(error.to_string()))?;
        self.ground.progress.passed(Stage::KeysMade).await;
        Ok(Keyed {
            ground: self.ground,
            measured: self.measured,
            disks: self.disks,
            keys,
        })
    }
}

/// All private keys of an enclave. A clone is another way to the same keys.
#[derive(Clone)]
pub(crate) struct Keys {
    tls: Key,
    receipts: Arc<ReceiptKey>,
}

impl Keys {
    pub(crate) fn make() -> Result<Self, NoKey> {
        let made = make();
        wipe_stack();
        made
    }

    /// DER SubjectPublicKeyInfo of the key that ends TLS.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.tls.subject_public_key_info()
    }

    /// The Ed25519 public key of receipts: `receipt_key` in the claims.
    pub(crate) fn receipt_key(&self) -> [u8; 32] {
        self.receipts.public
    }

    /// A certificate that carries `evidence`, ready for TLS.
    ///
    /// It is signed by its own key and valid at any time: its worth is in the evidence.
    pub(crate) fn certify(&self, evidence: &Evidence) -> Result<Arc<CertifiedKey>, Failure> {
        let failed = |error: rcgen::Error| Failure::Keys(error.to_string());
        let mut parameters =
            CertificateParams::new(vec!["enclave.invalid".to_owned()]).map_err(failed)?;
        parameters
            .distinguished_name
            .push(DnType::CommonName, "Chrysalis enclave");
        parameters
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &ID_PE_CMW,
                evidence.certificate_extension(),
            ));
        let certificate = parameters.self_signed(&self.tls).map_err(failed)?;
        let chain = vec![certificate.der().clone()];
        let key = Arc::new(self.tls.clone());
        Ok(Arc::new(CertifiedKey::new(chain, key)))
    }

    /// An Ed25519 signature over `message` by the key of receipts.
    pub(crate) fn sign_receipt(&self, message: &[u8]) -> Result<[u8; 64], Unsigned> {
        self.receipts.sign(message)
    }

    /// Overwrites every private key. Nothing is signed after that.
    pub(crate) fn wipe(&self) {
        self.tls.0.pair.wipe();
        self.receipts.pair.wipe();
        wipe_stack();
    }
}

/// How many bytes of the stack below a caller are wiped: ring's frames, with what it puts on them, are a fraction of that.
const WIPED_STACK: usize = 32 * 1024;

/// The PKCS#8 forms live in the frames of this function and those that it calls, all of them below its caller's.
#[inline(never)]
fn make() -> Result<Keys, NoKey> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| NoKey)?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).map_err(|_| NoKey)?;
    let tls = TlsKey {
        public: pair.public_key().as_ref().to_vec(),
        pair: Secret::new(pair),
    };
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| NoKey)?;
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| NoKey)?;
    let receipts = ReceiptKey {
        public: pair.public_key().as_ref().try_into().map_err(|_| NoKey)?,
        pair: Secret::new(pair),
    };
    Ok(Keys {
        tls: Key(Arc::new(tls)),
        receipts: Arc::new(receipts),
    })
}

/// Zeros over the frames of the calls before this one.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "the stack is what must be wiped")]
pub(crate) fn wipe_stack() {
    // In words: byte by byte it would take as long as a signature does.
    let mut frames = [0_u64; WIPED_STACK / size_of::<u64>()];
    frames.zeroize();
    black_box(&mut frames);
}

/// ring made no key, and says nothing more.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(crate) struct NoKey;

/// Nothing was signed.
#[derive(Debug, thiserror::Error)]
#[error("the key is gone, or the system gives no random numbers")]
pub(crate) struct Unsigned;

/// Signs receipts: Ed25519.
struct ReceiptKey {
    public: [u8; 32],
    pair: Secret<Ed25519KeyPair>,
}

impl ReceiptKey {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Unsigned> {
        let signature = self.pair.lend(|pair| pair.sign(message));
        wipe_stack();
        let signature = signature.ok_or(Unsigned)?;
        signature.as_ref().try_into().map_err(|_| Unsigned)
    }
}

/// The one way in which the key of TLS signs: P-256, the fastest that every TLS 1.3 peer knows.
const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

/// The key that ends TLS.
struct TlsKey {
    /// The point, uncompressed.
    public: Vec<u8>,
    pair: Secret<EcdsaKeyPair>,
}

/// The same for rcgen and rustls, which may sign with it.
#[derive(Clone)]
struct Key(Arc<TlsKey>);

impl Key {
    /// A signature over SHA-256 of `message`, as ASN.1.
    fn signed(&self, message: &[u8]) -> Result<Vec<u8>, Unsigned> {
        let random = SystemRandom::new();
        let signature = self.0.pair.lend(|pair| pair.sign(&random, message));
        wipe_stack();
        let signature = signature.ok_or(Unsigned)?.map_err(|_| Unsigned)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// Says nothing of the key.
impl fmt::Debug for Key {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Key")
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.0.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signed(message)
            .map_err(|Unsigned| rcgen::Error::RingUnspecified)
    }
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        if !offered.contains(&SCHEME) {
            return None;
        }
        Some(Box::new(self.clone()))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.subject_public_key_info().into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.signed(message)
            .map_err(|unsigned| rustls::Error::General(unsigned.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        SCHEME
    }
}
