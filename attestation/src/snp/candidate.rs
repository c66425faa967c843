//! What the chain's checks ask of certificates and revocation lists, read once. Nothing in it is verified.

use std::sync::Arc;

use x509_parser::{
    der_parser::oid,
    num_bigint::BigUint,
    oid_registry::Oid,
    prelude::{X509Certificate, X509Version},
};

use super::{
    certificate::Leaf,
    signed::{Name, Signed, rsa_key},
};
use crate::{Memory, Rejection, Time, encoding::x509};

/// Basic constraints and key usage. No path length: the chain below a root is always one authority and one leaf.
const KNOWN_CRITICAL: [Oid<'_>; 2] = [oid!(2.5.29.19), oid!(2.5.29.15)];
/// Extensions that a list may have: authority key identifier and list number. Others could narrow its scope.
const KNOWN_OF_LIST: [Oid<'_>; 2] = [oid!(2.5.29.35), oid!(2.5.29.20)];
/// What a verifier remembers of a certificate and of a list.
const CERTIFICATE: &str = "AMD certificate";
const LIST: &str = "AMD list";

/// Candidate certificates and lists, from any source.
pub(crate) struct Candidates<'a> {
    pub(crate) certificates: Vec<&'a [u8]>,
    pub(crate) lists: Vec<&'a [u8]>,
    /// What was verified before.
    pub(crate) memory: Memory,
}

/// A certificate.
#[derive(Debug, PartialEq)]
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) version: X509Version,
    pub(crate) serial: BigUint,
    /// Its bytes.
    pub(crate) raw_serial: Vec<u8>,
    /// DER.
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    /// The subject, if it has AMD's form.
    pub(crate) name: Option<Name>,
    /// The subject's common names.
    pub(crate) common_names: Vec<String>,
    pub(crate) from: Time,
    pub(crate) until: Time,
    pub(crate) is_authority: bool,
    pub(crate) signs_certificates: bool,
    pub(crate) unknown_critical: bool,
    /// The public key, if it is RSA's: DER.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) signed: Signed,
    /// The same as a report key's; otherwise, what is wrong with it as one.
    leaf: Result<Leaf, &'static str>,
}

/// A revocation list.
#[derive(Debug)]
pub(crate) struct List {
    der: Vec<u8>,
    /// DER.
    pub(crate) issuer: Vec<u8>,
    /// The same, if it has AMD's form.
    pub(crate) name: Option<Name>,
    /// Whether an extension could narrow its scope.
    pub(crate) narrowed: bool,
    pub(crate) from: Time,
    pub(crate) until: Option<Time>,
    pub(crate) number: Option<BigUint>,
    /// The serial numbers of what is revoked.
    pub(crate) revoked: Vec<BigUint>,
    pub(crate) signed: Signed,
}

impl Candidates<'_> {
    /// Reads the certificates, all of which must be readable.
    pub(crate) fn read(&self) -> Result<Vec<Arc<Certificate>>, Rejection> {
        let read = |der: &&[u8]| match self.memory.recall(CERTIFICATE, &[der]) {
            Some(known) => Ok(known),
            None => Certificate::read(der).map(Arc::new),
        };
        self.certificates.iter().map(read).collect()
    }
}

impl Certificate {
    /// Reads DER.
    pub(crate) fn read(der: &[u8]) -> Result<Self, Rejection> {
        let certificate = x509::certificate(der)?;
        let constraints = certificate.basic_constraints();
        let usage = certificate.key_usage();
        let common_names = certificate.subject().iter_common_name();
        Ok(Self {
            der: der.to_vec(),
            version: certificate.version(),
            serial: certificate.tbs_certificate.serial.clone(),
            raw_serial: certificate.tbs_certificate.raw_serial().to_vec(),
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            name: Name::parse(certificate.subject()),
            common_names: common_names
                .filter_map(|it| it.as_str().ok().map(str::to_owned))
                .collect(),
            from: Time(certificate.validity().not_before.timestamp()),
            until: Time(certificate.validity().not_after.timestamp()),
            is_authority: matches!(constraints, Ok(Some(it)) if it.value.ca),
            signs_certificates: matches!(usage, Ok(Some(it)) if it.value.key_cert_sign()),
            unknown_critical: has_unknown_critical(&certificate),
            key: rsa_key(certificate.public_key()).map(<[u8]>::to_vec),
            signed: Signed::certificate(&certificate),
            leaf: Leaf::read(&certificate),
        })
    }

    /// The same as the certificate of a key that signs reports, which must have AMD's form.
    pub(crate) fn leaf(&self) -> Result<&Leaf, Rejection> {
        let leaf = self.leaf.as_ref();
        leaf.map_err(|what| Rejection::LeafProfile { what })
    }

    /// Remembers it, once its chain is verified.
    pub(crate) fn keep(self: &Arc<Self>, memory: &Memory) {
        memory.keep(CERTIFICATE, &[&self.der], self);
    }
}

fn has_unknown_critical(certificate: &X509Certificate<'_>) -> bool {
    let mut extensions = certificate.extensions().iter();
    extensions.any(|it| it.critical && !KNOWN_CRITICAL.contains(&it.oid))
}

impl List {
    /// Reads DER, or recalls it.
    pub(crate) fn recall(der: &[u8], memory: &Memory) -> Result<Arc<Self>, Rejection> {
        match memory.recall(LIST, &[der]) {
            Some(known) => Ok(known),
            None => Self::read(der).map(Arc::new),
        }
    }

    /// Reads DER.
    pub(crate) fn read(der: &[u8]) -> Result<Self, Rejection> {
        let list = x509::revocation_list(der)?;
        let mut extensions = list.extensions().iter();
        let revoked = list.iter_revoked_certificates();
        Ok(Self {
            der: der.to_vec(),
            issuer: list.issuer().as_raw().to_vec(),
            name: Name::parse(list.issuer()),
            narrowed: extensions.any(|it| !KNOWN_OF_LIST.contains(&it.oid)),
            from: Time(list.last_update().timestamp()),
            until: list.next_update().map(|it| Time(it.timestamp())),
            number: list.crl_number().cloned(),
            revoked: revoked.map(|it| it.serial().clone()).collect(),
            signed: Signed::revocation_list(&list),
        })
    }

    /// Remembers it, once it is verified.
    pub(crate) fn keep(self: &Arc<Self>, memory: &Memory) {
        memory.keep(LIST, &[&self.der], self);
    }
}
