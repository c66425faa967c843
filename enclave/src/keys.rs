//! The fourth step: the key that ends TLS. It is made in memory, never written, and gone with the machine.
//!
//! There is one copy of it, ring's: rcgen and rustls get a way to sign, not the key. ring returns a new key as PKCS#8, which
//! is used on the stack and wiped there, with whatever ring left around it. ring keeps the private scalar and the key of its
//! nonces for as long as they sign, and does not wipe them when they are dropped: that is when the machine ends.

use std::{fmt, hint::black_box, sync::Arc};

use chrysalis_attestation::evidence::{Evidence, ID_PE_CMW};
use chrysalis_wire::boot::Stage;
use rcgen::{CertificateParams, CustomExtension, DnType, PublicKeyData};
use ring::{
    error::Unspecified,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
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

/// An enclave with a key that only it has.
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

/// The key that ends TLS: P-256, the fastest that every TLS 1.3 peer knows.
pub(crate) struct Keys(Key);

impl Keys {
    fn make() -> Result<Self, NoKey> {
        let pair = make();
        wipe_stack();
        Ok(Self(Key(pair?)))
    }

    /// DER SubjectPublicKeyInfo.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// A certificate that carries `evidence`, ready for TLS.
    ///
    /// It is signed by its own key and valid at any time: its worth is in the evidence.
    pub(crate) fn certify(self, evidence: &Evidence) -> Result<Arc<CertifiedKey>, Failure> {
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
        let certificate = parameters.self_signed(&self.0).map_err(failed)?;
        let chain = vec![certificate.der().clone()];
        Ok(Arc::new(CertifiedKey::new(chain, Arc::new(self.0))))
    }
}

/// The one way in which it signs.
const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;
/// How many bytes of the stack below a caller are wiped: ring's frames, with what it puts on them, are a fraction of that.
const WIPED_STACK: usize = 64 * 1024;

/// The PKCS#8 form lives in the frames of this function and those that it calls, all of them below its caller's.
#[inline(never)]
fn make() -> Result<Arc<EcdsaKeyPair>, NoKey> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| NoKey)?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random);
    Ok(Arc::new(pair.map_err(|_| NoKey)?))
}

/// Zeros over the frames of the calls before this one.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "the stack is what must be wiped")]
fn wipe_stack() {
    let mut frames = [0_u8; WIPED_STACK];
    frames.zeroize();
    black_box(&mut frames);
}

/// ring made no key, and says nothing more.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
struct NoKey;

/// ring's key, which rcgen and rustls may sign with.
#[derive(Clone)]
struct Key(Arc<EcdsaKeyPair>);

impl Key {
    /// A signature over SHA-256 of `message`, as ASN.1.
    fn signed(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let signature = self.0.sign(&SystemRandom::new(), message)?;
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
        self.0.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signed(message)
            .map_err(|Unspecified| rcgen::Error::RingUnspecified)
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
            .map_err(|Unspecified| rustls::Error::General("ring signed nothing".to_owned()))
    }

    fn scheme(&self) -> SignatureScheme {
        SCHEME
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{File, read_to_string},
        os::unix::fs::FileExt,
    };

    use chrysalis_attestation::evidence::{CpuReport, Endorsements};
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    fn evidence() -> Evidence {
        Evidence {
            cpu: CpuReport::Snp(vec![7; 1184]),
            claims: vec![0xa0],
            gpus: Vec::new(),
            path: None,
            endorsements: Endorsements::default(),
        }
    }

    #[test]
    fn the_certificate_carries_the_evidence_and_is_about_the_key() {
        let keys = Keys::make().unwrap();
        let public = keys.public();
        let certified = keys.certify(&evidence()).unwrap();
        certified.keys_match().unwrap();
        assert_eq!(
            Evidence::from_certificate(&certified.cert[0]).unwrap(),
            (evidence(), public)
        );
    }

    #[test]
    fn signs_in_one_way_alone() {
        let key = Keys::make().unwrap().0;
        assert!(key.choose_scheme(&[SignatureScheme::ED25519]).is_none());
        let offered = [SignatureScheme::ED25519, SCHEME];
        assert_eq!(key.choose_scheme(&offered).unwrap().scheme(), SCHEME);
    }

    /// How often this process's memory contains the PKCS#8 form of the key with this public point: only there does
    /// `A1 44 03 42 00` precede it (RFC 5915). The two are never put together here, or the search would find them.
    fn copies_of(point: &[u8]) -> usize {
        const BEFORE: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];
        const CHUNK: usize = 1 << 18;
        // Enclaves of other tests have closed this process to debuggers, and this is one.
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        let memory = File::open("/proc/self/mem").unwrap();
        let whole = BEFORE.len() + point.len();
        let mut chunk = vec![0; CHUNK + whole];
        let mut found = 0;
        for line in read_to_string("/proc/self/maps").unwrap().lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
            if !rest.starts_with("rw") {
                continue;
            }
            for at in (start..end).step_by(CHUNK) {
                // Another thread may have returned this memory since.
                let length = memory.read_at(&mut chunk, at).unwrap_or(0);
                let matches = |place: &[u8]| {
                    place.len() == whole && place.starts_with(&BEFORE) && place.ends_with(point)
                };
                let starts = (0..length.min(CHUNK)).filter(|&at| chunk[at] == BEFORE[0]);
                let ends = |at: usize| (at + whole).min(length);
                found += starts.filter(|&at| matches(&chunk[at..ends(at)])).count();
            }
        }
        found
    }

    #[test]
    fn no_other_copy_of_the_key_is_left_in_memory() {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let left = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, left.as_ref(), &random).unwrap();
        assert_ne!(copies_of(pair.public_key().as_ref()), 0, "the search");
        black_box(&left);

        let keys = Keys::make().unwrap();
        let public = keys.public();
        let point = &public[public.len() - 65..];
        assert_eq!(copies_of(point), 0, "when it was made");
        let certified = keys.certify(&evidence()).unwrap();
        assert_eq!(copies_of(point), 0, "when it is in use");
        drop(certified);
    }
}
