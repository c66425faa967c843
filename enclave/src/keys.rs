//! The fifth step: the key that ends TLS. It is made in memory, never written, and gone with the machine.

use std::sync::Arc;

use chrysalis_attestation::bundle::ID_PE_CMW;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, PublicKeyData};
use rustls::{crypto::ring::sign::any_ecdsa_type, sign::CertifiedKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroize;

use crate::{
    boot::Ground,
    configuration::Measured,
    engine::{Description, Loaded, Scheduler},
    failure::Failure,
};

/// The DER tag of an OCTET STRING.
const OCTET_STRING: u8 = 0x04;

/// An enclave with a key that nobody else has.
pub(crate) struct Keyed {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) scheduler: Scheduler,
    pub(crate) engine: Description,
    pub(crate) keys: Keys,
}

impl Loaded {
    /// Makes the keys, only now that there is something to serve with them.
    pub(crate) fn make_keys(self) -> Result<Keyed, Failure> {
        Ok(Keyed {
            ground: self.ground,
            measured: self.measured,
            scheduler: self.scheduler,
            engine: self.engine,
            keys: Keys::make().map_err(|error| Failure::Keys(error.to_string()))?,
        })
    }
}

/// The key that ends TLS: P-256, the fastest that every TLS 1.3 peer knows.
pub(crate) struct Keys(KeyPair);

impl Keys {
    fn make() -> Result<Self, rcgen::Error> {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map(Self)
    }

    /// DER SubjectPublicKeyInfo.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// A certificate that carries `bundle`, ready for TLS.
    ///
    /// It is signed by its own key and valid at any time: what it is worth is in the bundle.
    pub(crate) fn certify(self, bundle: &[u8]) -> Result<Arc<CertifiedKey>, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Keys(error.to_string());
        let mut parameters = CertificateParams::new(vec!["enclave.invalid".to_owned()])
            .map_err(|error| failed(&error))?;
        parameters
            .distinguished_name
            .push(DnType::CommonName, "Chrysalis enclave");
        parameters
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &ID_PE_CMW,
                octet_string(bundle),
            ));
        let certificate = parameters
            .self_signed(&self.0)
            .map_err(|error| failed(&error))?;

        let mut private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.serialize_der()));
        let signer = any_ecdsa_type(&private);
        // ring keeps the one copy that signs; this one has no further use.
        private.zeroize();
        let signer = signer.map_err(|error| failed(&error))?;
        Ok(Arc::new(CertifiedKey::new(
            vec![certificate.der().clone()],
            signer,
        )))
    }
}

/// `CMW ::= CHOICE { json UTF8String, cbor OCTET STRING }`, RFC 9999 §4.
fn octet_string(content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length
        .iter()
        .position(|byte| *byte != 0)
        .and_then(|first| length.get(first..))
        .unwrap_or(&[0]);
    let mut der = vec![OCTET_STRING];
    match significant {
        [short] if *short < 0x80 => der.push(*short),
        long => {
            der.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_octet_string_is_der() {
        assert_eq!(octet_string(&[]), [4, 0]);
        assert_eq!(octet_string(&[9; 127])[..3], [4, 127, 9]);
        assert_eq!(octet_string(&[9; 128])[..4], [4, 0x81, 128, 9]);
        assert_eq!(octet_string(&[9; 300])[..5], [4, 0x82, 1, 44, 9]);
    }

    #[test]
    fn the_certificate_is_about_the_key() {
        let keys = Keys::make().unwrap();
        let public = keys.public();
        let certified = keys.certify(b"bundle").unwrap();
        let certificate = certified.cert[0].as_ref();
        assert!(certificate.windows(public.len()).any(|part| part == public));
        assert!(
            certificate
                .windows(8)
                .any(|part| part == octet_string(b"bundle"))
        );
        certified.keys_match().unwrap();
    }
}
