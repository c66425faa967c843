//! X.509 as NVIDIA issues it, and no other: EC keys on P-384, ECDSA with SHA-384.
//!
//! A certificate from outside is a candidate until it is shown to be issued by one that is already trusted.

use std::{collections::BTreeSet, sync::OnceLock};

use x509_parser::{
    extensions::{BasicConstraints, KeyUsage},
    num_bigint::BigUint,
    oid_registry::{
        OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_SIG_ECDSA_WITH_SHA384,
        OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE,
        Oid,
    },
    prelude::{FromDer, X509Certificate, X509Name, X509Version},
};

use crate::encoding::{
    der::{Der, pair_of_numbers, tag},
    digest::{Hash384, sha384},
};
use crate::{
    Rejection, Time,
    crypto::verify_ecdsa_p384,
    memory::{self, Fact, Memory},
};

/// NVIDIA's certificates are far smaller.
pub(crate) const MAX_CERTIFICATE_SIZE: usize = 4096;
/// The size of an uncompressed point on P-384.
const POINT_SIZE: usize = 97;
/// The size of r and s, as in SPDM and XML signatures.
pub(crate) const SIGNATURE_SIZE: usize = 96;

/// `AlgorithmIdentifier` of ECDSA with SHA-384, DER: 1.2.840.10045.4.3.3.
pub(crate) const ECDSA_SHA384: &[u8] = &[
    0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03,
];

/// What a certificate that could be read says. Whether it can be trusted is a separate question.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// What it is for, worded to fit before "certificate".
    pub(crate) which: &'static str,
    pub(crate) der: Vec<u8>,
    /// What the issuer signed.
    signed: Vec<u8>,
    signature: Vec<u8>,
    /// Names in DER.
    subject: Vec<u8>,
    issuer: Vec<u8>,
    /// The subject's only common name; empty unless it has exactly one.
    common_name: String,
    /// As in the certificate, and its value.
    serial: (Vec<u8>, BigUint),
    from: Time,
    until: Time,
    /// The public key, an uncompressed point.
    point: Vec<u8>,
    /// Whether they are critical, and what they say.
    constraints: Option<(bool, BasicConstraints)>,
    usage: Option<KeyUsage>,
    signs_ocsp: bool,
    /// SHA-384 of the subject's name and of the key, once they were wanted.
    digests: OnceLock<[Hash384; 2]>,
    extensions: Vec<(Oid<'static>, Vec<u8>)>,
}

/// Which signatures have been verified already.
///
/// The GPUs of one machine share intermediates and the answers about them, and so do manifests: one appraisal verifies each
/// signature once.
#[derive(Debug, Default)]
pub(crate) struct Signatures {
    verified: BTreeSet<Fact>,
    /// Of earlier appraisals.
    memory: Memory,
}

impl Signatures {
    /// Nothing has been verified yet, apart from what is remembered.
    pub(crate) fn remembered_by(memory: &Memory) -> Self {
        Self {
            verified: BTreeSet::new(),
            memory: memory.clone(),
        }
    }

    /// What earlier appraisals left.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether this key signed this; the signature is DER.
    pub(crate) fn check(&mut self, by: &Certificate, message: &[u8], signature: &[u8]) -> bool {
        let fact = memory::signature("nvidia", by.point(), message, signature);
        if self.verified.contains(&fact) {
            return true;
        }
        let holds = self.memory.holds(|| fact, || by.signed(message, signature));
        if holds {
            self.verified.insert(fact);
        }
        holds
    }
}

impl Certificate {
    /// Reads DER that ends where the certificate does. `which` is its name in messages.
    pub(crate) fn parse(der: &[u8], which: &'static str) -> Result<Self, Rejection> {
        let malformed = || Rejection::NvidiaCertificateMalformed { which };
        if der.len() > MAX_CERTIFICATE_SIZE {
            return Err(malformed());
        }
        let (rest, x509) = X509Certificate::from_der(der).map_err(|_| malformed())?;
        // A repeated extension would have two meanings.
        if !rest.is_empty() || x509.extensions_map().is_err() || x509.version() != X509Version::V3 {
            return Err(malformed());
        }
        let (signed, algorithm, signature) = envelope(der).ok_or_else(malformed)?;
        if x509.tbs_certificate.as_ref() != signed {
            return Err(malformed());
        }
        check_profile(&x509, algorithm)
            .map_err(|what| Rejection::NvidiaCertificateProfile { which, what })?;
        let constraints = x509.basic_constraints().ok().flatten();
        let usage = x509.key_usage().ok().flatten();
        let extended = x509.extended_key_usage().ok().flatten();
        let extensions = x509.extensions().iter();
        Ok(Self {
            which,
            der: der.to_vec(),
            signed: signed.to_vec(),
            signature: signature.to_vec(),
            subject: x509.subject().as_raw().to_vec(),
            issuer: x509.issuer().as_raw().to_vec(),
            common_name: only_common_name(x509.subject()).to_owned(),
            serial: (x509.raw_serial().to_vec(), x509.serial.clone()),
            from: Time(x509.validity().not_before.timestamp()),
            until: Time(x509.validity().not_after.timestamp()),
            point: point(&x509).to_vec(),
            constraints: constraints.map(|it| (it.critical, it.value.clone())),
            usage: usage.map(|it| *it.value),
            signs_ocsp: extended.is_some_and(|it| it.value.ocsp_signing),
            digests: OnceLock::new(),
            extensions: extensions
                .map(|it| (it.oid.to_owned(), it.value.to_vec()))
                .collect(),
        })
    }

    /// Checks that `issuer` signed this, by name and by key.
    pub(crate) fn check_issued_by(
        &self,
        issuer: &Self,
        signatures: &mut Signatures,
    ) -> Result<(), Rejection> {
        if self.issuer != issuer.subject {
            return Err(self.refuse("names a different issuer"));
        }
        if signatures.check(issuer, &self.signed, &self.signature) {
            Ok(())
        } else {
            Err(Rejection::NvidiaCertificateSignature { which: self.which })
        }
    }

    /// Checks that it may issue certificates, with `below` further authorities between it and the leaf.
    pub(crate) fn check_authority(&self, below: u32) -> Result<(), Rejection> {
        let constraints = self.constraints.as_ref();
        match constraints.map(|(critical, it)| (*critical, it.ca, it.path_len_constraint)) {
            Some((true, true, None)) => {}
            Some((true, true, Some(most))) if most >= below => {}
            Some((true, true, Some(_))) => {
                return Err(self.refuse("has more authorities below it than it allows"));
            }
            _ => return Err(self.refuse("is not a certificate authority")),
        }
        match self.usage {
            Some(usage) if usage.key_cert_sign() => Ok(()),
            _ => Err(self.refuse("may not sign certificates")),
        }
    }

    /// Checks that it signs messages and issues nothing.
    pub(crate) fn check_end_entity(&self) -> Result<(), Rejection> {
        if self.constraints.as_ref().is_some_and(|(_, it)| it.ca) {
            return Err(self.refuse("is a certificate authority"));
        }
        match self.usage {
            Some(usage) if usage.digital_signature() => Ok(()),
            _ => Err(self.refuse("may not sign messages")),
        }
    }

    /// Checks that `now` lies in its validity period.
    pub(crate) fn check_valid_at(&self, now: Time) -> Result<(), Rejection> {
        let which = self.which;
        let (from, until) = (self.from, self.until);
        if now < from {
            return Err(Rejection::NvidiaCertificateNotYetValid { which, from });
        }
        if now > until {
            return Err(Rejection::NvidiaCertificateExpired { which, until });
        }
        Ok(())
    }

    /// The first second of its validity period.
    pub(crate) fn from(&self) -> Time {
        self.from
    }

    /// The last second of its validity period.
    pub(crate) fn until(&self) -> Time {
        self.until
    }

    /// Whether its key signed this; the signature is DER, as in X.509.
    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        pair_of_numbers(signature).is_some_and(|it| self.signed_fixed(message, &it))
    }

    /// Whether its key signed this; the signature is r and s, big-endian, as in SPDM and XML.
    pub(crate) fn signed_fixed(&self, message: &[u8], signature: &[u8; SIGNATURE_SIZE]) -> bool {
        verify_ecdsa_p384(self.point(), message, signature).is_ok()
    }

    /// The public key as a point, which OCSP hashes to name an issuer.
    pub(crate) fn point(&self) -> &[u8] {
        &self.point
    }

    /// The subject's name, DER.
    pub(crate) fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The issuer's name, DER.
    pub(crate) fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// SHA-384 of the subject's name and of the key, by which OCSP names an issuer.
    pub(crate) fn digests(&self) -> &[Hash384; 2] {
        let digests = || [sha384(&[&self.subject]), sha384(&[&self.point])];
        self.digests.get_or_init(digests)
    }

    /// The subject's name, for messages.
    pub(crate) fn subject_name(&self) -> X509Name<'_> {
        let name = X509Name::from_der(&self.subject);
        // It was read before.
        name.map_or_else(|_| X509Name::new(Vec::new(), &self.subject), |(_, it)| it)
    }

    /// The subject's only common name; empty unless it has exactly one.
    pub(crate) fn common_name(&self) -> &str {
        &self.common_name
    }

    /// The serial number's bytes as in the certificate.
    pub(crate) fn serial(&self) -> &[u8] {
        &self.serial.0
    }

    /// The serial number in decimal: NVIDIA's claims call the leaf's `ueid`.
    pub(crate) fn serial_decimal(&self) -> String {
        self.serial.1.to_string()
    }

    /// The value of an extension.
    pub(crate) fn extension(&self, oid: &Oid<'_>) -> Option<&[u8]> {
        let found = self.extensions.iter().find(|(it, _)| it == oid);
        found.map(|(_, value)| value.as_slice())
    }

    /// Whether its extended key usage is OCSP signing.
    pub(crate) fn signs_ocsp(&self) -> bool {
        self.signs_ocsp
    }

    pub(crate) fn refuse(&self, what: &'static str) -> Rejection {
        Rejection::NvidiaCertificateProfile {
            which: self.which,
            what,
        }
    }
}

/// Checks that it has the one form that NVIDIA issues; otherwise, what is wrong. The algorithm is the one outside of what is signed.
fn check_profile(x509: &X509Certificate<'_>, algorithm: &[u8]) -> Result<(), &'static str> {
    // RFC 5758 §3.2: no parameters. Inside as outside.
    let inner = &x509.tbs_certificate.signature;
    let same = inner.algorithm == OID_SIG_ECDSA_WITH_SHA384 && inner.parameters.is_none();
    if algorithm != ECDSA_SHA384 || !same {
        return Err("is not signed with ECDSA and SHA-384");
    }
    let key = x509.public_key();
    let on_p384 = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY
        && key
            .algorithm
            .parameters
            .as_ref()
            .and_then(|any| any.as_oid().ok())
            == Some(OID_NIST_EC_P384);
    if !on_p384
        || key.subject_public_key.unused_bits != 0
        || key.subject_public_key.data.len() != POINT_SIZE
        || point(x509).first() != Some(&4)
    {
        return Err("has no key on P-384");
    }
    let known = [
        OID_X509_EXT_BASIC_CONSTRAINTS,
        OID_X509_EXT_KEY_USAGE,
        OID_X509_EXT_EXTENDED_KEY_USAGE,
    ];
    match x509
        .extensions()
        .iter()
        .find(|it| it.critical && !known.contains(&it.oid))
    {
        Some(_) => Err("has an unknown critical extension"),
        None => Ok(()),
    }
}

fn point<'c>(x509: &'c X509Certificate<'_>) -> &'c [u8] {
    &x509.public_key().subject_public_key.data
}

fn only_common_name<'n>(name: &'n X509Name<'_>) -> &'n str {
    let mut names = name.iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().unwrap_or_default(),
        _ => "",
    }
}

/// A certificate's outermost layer: what is signed, the algorithm with its header, the signature.
///
/// No signature covers that layer, so it is read strictly here: one certificate, one encoding.
fn envelope(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut outer = Der::new(der);
    let mut parts = outer.enter(tag::SEQUENCE)?;
    outer.end()?;
    let signed = parts.value(tag::SEQUENCE)?.raw;
    let algorithm = parts.value(tag::SEQUENCE)?.raw;
    let signature = whole_bytes(parts.take(tag::BIT_STRING)?)?;
    parts.end()?;
    Some((signed, algorithm, signature))
}

/// The content of a bit string without unused bits.
pub(crate) fn whole_bytes(bit_string: &[u8]) -> Option<&[u8]> {
    bit_string
        .split_first()
        .and_then(|(unused, bytes)| (*unused == 0).then_some(bytes))
}
