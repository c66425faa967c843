//! The fifth step: the key that ends TLS. It is made in memory, never written, and gone with the machine.

use std::sync::Arc;

use chrysalis_attestation::bundle::{Evidence, ID_PE_CMW};
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
    pub(crate) async fn make_keys(self) -> Result<Keyed, Failure> {
        let keys = Keys::make().map_err(|error| Failure::Keys(error.to_string()))?;
        self.ground.progress.passed("keys made").await;
        Ok(Keyed {
            ground: self.ground,
            measured: self.measured,
            scheduler: self.scheduler,
            engine: self.engine,
            keys,
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

    /// A certificate that carries `evidence`, ready for TLS.
    ///
    /// It is signed by its own key and valid at any time: what it is worth is in the evidence.
    pub(crate) fn certify(self, evidence: &Evidence) -> Result<Arc<CertifiedKey>, Failure> {
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
                evidence.certificate_extension(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_attestation::bundle::{CpuReport, Endorsements};

    #[test]
    fn the_certificate_carries_the_evidence_and_is_about_the_key() {
        let evidence = Evidence {
            cpu: CpuReport::Snp(vec![7; 1184]),
            claims: vec![0xa0],
            gpus: Vec::new(),
            endorsements: Endorsements::default(),
        };
        let keys = Keys::make().unwrap();
        let public = keys.public();
        let certified = keys.certify(&evidence).unwrap();
        certified.keys_match().unwrap();
        assert_eq!(
            Evidence::from_certificate(&certified.cert[0]).unwrap(),
            (evidence, public)
        );
    }
}
