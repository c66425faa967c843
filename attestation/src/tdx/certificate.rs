//! X.509 as Intel issues it, and no other: EC keys on P-256, ECDSA with SHA-256.
//!
//! A certificate from outside is a candidate until it is shown to be issued by one that is already trusted.

use x509_parser::{
    num_bigint::BigUint,
    oid_registry::{
        OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256, OID_X509_EXT_BASIC_CONSTRAINTS,
        OID_X509_EXT_KEY_USAGE, Oid,
    },
    prelude::{AlgorithmIdentifier, X509Certificate, X509Name, X509Version},
};

use crate::{
    Rejection, Time,
    crypto::{PointP256, verify_ecdsa_p256, verify_ecdsa_p256_der},
    encoding::{pem, x509},
    memory::{self, Memory},
};

/// Intel's certificates are far smaller.
const MAX_CERTIFICATE_SIZE: usize = 4096;
const P256: &str = "1.2.840.10045.3.1.7";

/// A certificate that could be read. Whether it can be trusted is a separate question.
#[derive(Debug, Clone)]
pub(crate) struct Certificate<'a> {
    /// What it is for, worded to fit before "certificate".
    pub(crate) which: &'static str,
    pub(crate) der: &'a [u8],
    /// The public key, an uncompressed point of 65 bytes.
    pub(crate) point: PointP256,
    x509: X509Certificate<'a>,
}

/// Intel's chains have two or three certificates.
const MAX_CHAIN: usize = 4;

/// The DER of each certificate of a PEM chain, in the order of the text: as in quotes and in the answers of Intel's service.
pub(crate) fn chain(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    pem::labelled(pem::CERTIFICATE, text).filter(|chain| chain.len() <= MAX_CHAIN)
}

/// ECDSA with SHA-256 and no parameters: RFC 5758 §3.2.
pub(crate) fn is_ecdsa_sha256(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    algorithm.algorithm == OID_SIG_ECDSA_WITH_SHA256 && algorithm.parameters.is_none()
}

impl<'a> Certificate<'a> {
    /// Reads DER that ends where the certificate does. `which` is its name in messages.
    pub(crate) fn parse(der: &'a [u8], which: &'static str) -> Result<Self, Rejection> {
        let malformed = || Rejection::IntelCertificateMalformed { which };
        if der.len() > MAX_CERTIFICATE_SIZE {
            return Err(malformed());
        }
        let x509 = x509::certificate(der).map_err(|_| malformed())?;
        // A repeated extension would have two meanings.
        if x509.extensions_map().is_err() || x509.version() != X509Version::V3 {
            return Err(malformed());
        }
        let profile = |what| Rejection::IntelCertificateProfile { which, what };
        if !is_ecdsa_sha256(&x509.signature_algorithm)
            || !is_ecdsa_sha256(&x509.tbs_certificate.signature)
        {
            return Err(profile("is not signed with ECDSA and SHA-256"));
        }
        let point = point(&x509).ok_or(profile("has no key on P-256"))?;
        let known = [OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_KEY_USAGE];
        if x509
            .extensions()
            .iter()
            .any(|it| it.critical && !known.contains(&it.oid))
        {
            return Err(profile("has an unknown critical extension"));
        }
        Ok(Self {
            which,
            der,
            point,
            x509,
        })
    }

    /// Checks that `issuer` signed this, by name and by key.
    pub(crate) fn check_issued_by(&self, issuer: &Self, memory: &Memory) -> Result<(), Rejection> {
        if self.x509.issuer().as_raw() != issuer.subject().as_raw() {
            return Err(self.refuse("names a different issuer"));
        }
        let signed = issuer.signed_der(
            self.x509.tbs_certificate.as_ref(),
            &self.x509.signature_value.data,
            memory,
        );
        if signed {
            Ok(())
        } else {
            Err(Rejection::IntelCertificateSignature { which: self.which })
        }
    }

    /// Checks that it may issue certificates and revocation lists.
    pub(crate) fn check_authority(&self) -> Result<(), Rejection> {
        match self.x509.basic_constraints() {
            Ok(Some(constraints)) if constraints.critical && constraints.value.ca => {}
            _ => return Err(self.refuse("is not a certificate authority")),
        }
        match self.x509.key_usage() {
            Ok(Some(usage)) if usage.value.key_cert_sign() && usage.value.crl_sign() => Ok(()),
            _ => Err(self.refuse("may not sign certificates and revocation lists")),
        }
    }

    /// Checks that it signs messages and issues nothing.
    pub(crate) fn check_end_entity(&self) -> Result<(), Rejection> {
        match self.x509.basic_constraints() {
            Ok(Some(constraints)) if !constraints.value.ca => {}
            _ => return Err(self.refuse("does not state that it is not an authority")),
        }
        match self.x509.key_usage() {
            Ok(Some(usage)) if usage.value.digital_signature() && !usage.value.key_cert_sign() => {
                Ok(())
            }
            _ => Err(self.refuse("may not sign messages")),
        }
    }

    /// Checks that its subject has this common name and organisation.
    pub(crate) fn check_name(&self, names: &[&str], organisation: &str) -> Result<(), Rejection> {
        let fits = names.iter().any(|name| self.has_common_name(name));
        if fits && self.is_of(organisation) {
            Ok(())
        } else {
            Err(self.refuse("does not have the name that its place requires"))
        }
    }

    /// Whether its subject has this common name and no other.
    pub(crate) fn has_common_name(&self, wanted: &str) -> bool {
        let mut names = self.subject().iter_common_name();
        match (names.next(), names.next()) {
            (Some(name), None) => name.as_str() == Ok(wanted),
            _ => false,
        }
    }

    /// Whether its subject names this organisation and no other.
    pub(crate) fn is_of(&self, organisation: &str) -> bool {
        let mut names = self.subject().iter_organization();
        match (names.next(), names.next()) {
            (Some(name), None) => name.as_str() == Ok(organisation),
            _ => false,
        }
    }

    /// Checks that `now` lies in its validity period.
    pub(crate) fn check_valid_at(&self, now: Time) -> Result<(), Rejection> {
        let which = self.which;
        let from = Time(self.x509.validity().not_before.timestamp());
        let until = self.until();
        if now < from {
            return Err(Rejection::IntelCertificateNotYetValid { which, from });
        }
        if now > until {
            return Err(Rejection::IntelCertificateExpired { which, until });
        }
        Ok(())
    }

    /// The last second of its validity period.
    pub(crate) fn until(&self) -> Time {
        Time(self.x509.validity().not_after.timestamp())
    }

    /// Whether its key signed this; the signature is DER, as in X.509.
    pub(crate) fn signed_der(&self, message: &[u8], signature: &[u8], memory: &Memory) -> bool {
        memory.holds(
            || memory::signature("intel", &self.point, message, signature),
            || verify_ecdsa_p256_der(&self.point, message, signature).is_ok(),
        )
    }

    /// Whether its key signed this; the signature is r and s, big-endian, 64 bytes, as in quotes and collateral.
    pub(crate) fn signed_fixed(
        &self,
        message: &[u8],
        signature: &[u8; 64],
        memory: &Memory,
    ) -> bool {
        memory.holds(
            || memory::signature("intel-fixed", &self.point, message, signature),
            || verify_ecdsa_p256(&self.point, message, signature).is_ok(),
        )
    }

    /// Whether both represent the same authority: the same name and the same key.
    pub(crate) fn is_same_authority(&self, other: &Self) -> bool {
        self.point == other.point && self.subject().as_raw() == other.subject().as_raw()
    }

    pub(crate) fn subject(&self) -> &X509Name<'_> {
        self.x509.subject()
    }

    /// The serial number, by which revocation lists refer to it.
    pub(crate) fn serial(&self) -> &BigUint {
        &self.x509.tbs_certificate.serial
    }

    /// The value of an extension.
    pub(crate) fn extension(&self, oid: &Oid<'_>) -> Option<&'a [u8]> {
        x509::extension(&self.x509, oid)
    }

    pub(crate) fn refuse(&self, what: &'static str) -> Rejection {
        Rejection::IntelCertificateProfile {
            which: self.which,
            what,
        }
    }
}

fn point(x509: &X509Certificate<'_>) -> Option<PointP256> {
    let key = x509.public_key();
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let on_p256 = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY
        && curve.to_id_string() == P256
        && key.subject_public_key.unused_bits == 0;
    let point: PointP256 = key.subject_public_key.data.as_ref().try_into().ok()?;
    (on_p256 && point.first() == Some(&4)).then_some(point)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn noise_is_no_certificate_and_no_chain(bytes in vec(any::<u8>(), 0..1200)) {
            prop_assert!(chain(&bytes).is_none());
            prop_assert!(Certificate::parse(&bytes, "some").is_err());
        }
    }
}
