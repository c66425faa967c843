//! What certificates and revocation lists have in common: names, times and extensions, written as AMD writes them.

use crate::{
    SimulateError,
    signing::{CertificateKey, signature_algorithm},
};
use chrysalis_attestation::{Time, digest::sha384};
use der::{
    Any, DateTime, Encode,
    asn1::{
        GeneralizedTime, ObjectIdentifier, OctetString, PrintableStringRef, SetOfVec, UtcTime,
        Utf8StringRef,
    },
    oid::AssociatedOid,
};
use std::time::Duration;
use x509_cert::{
    Certificate, TbsCertificate, Version,
    attr::AttributeTypeAndValue,
    ext::{
        Extension, Extensions,
        pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier},
    },
    name::{Name, RdnSequence, RelativeDistinguishedName},
    serial_number::SerialNumber,
    spki::SubjectPublicKeyInfoOwned,
    time::Validity,
};

/// What one certificate says, before it is signed.
pub(crate) struct Draft {
    pub(crate) what: &'static str,
    pub(crate) serial: u32,
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
    pub(crate) key: SubjectPublicKeyInfoOwned,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    pub(crate) extensions: Extensions,
}

impl Draft {
    /// The DER, signed.
    pub(crate) fn sign(self, issuer: &CertificateKey) -> Result<Vec<u8>, SimulateError> {
        let tbs_certificate = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::from(self.serial),
            signature: signature_algorithm()?,
            issuer: self.issuer,
            validity: Validity {
                not_before: time(self.not_before)?,
                not_after: time(self.not_after)?,
            },
            subject: self.subject,
            subject_public_key_info: self.key,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(self.extensions),
        };
        let message = tbs_certificate
            .to_der()
            .map_err(SimulateError::encoding(self.what))?;
        let certificate = Certificate {
            signature: issuer.sign(&message)?,
            signature_algorithm: tbs_certificate.signature.clone(),
            tbs_certificate,
        };
        certificate
            .to_der()
            .map_err(SimulateError::encoding(self.what))
    }
}

/// A name in AMD's order and AMD's string types.
pub(crate) fn name(organisation: &str, common_name: &str) -> Result<Name, SimulateError> {
    let utf8 = |text| Utf8StringRef::new(text).and_then(|text| Any::encode_from(&text));
    let attributes = || {
        let us = Any::encode_from(&PrintableStringRef::new("US")?)?;
        [
            ("2.5.4.11", utf8("Engineering")?),
            ("2.5.4.6", us),
            ("2.5.4.7", utf8("Santa Clara")?),
            ("2.5.4.8", utf8("CA")?),
            ("2.5.4.10", utf8(organisation)?),
            ("2.5.4.3", utf8(common_name)?),
        ]
        .into_iter()
        .map(|(arc, value)| {
            let attribute = AttributeTypeAndValue {
                oid: oid(arc),
                value,
            };
            SetOfVec::try_from([attribute]).map(RelativeDistinguishedName)
        })
        .collect::<der::Result<_>>()
    };
    attributes()
        .map(RdnSequence)
        .map_err(SimulateError::encoding("name"))
}

/// X.509 writes years before 2050 as `UTCTime`, later ones as `GeneralizedTime`.
pub(crate) fn time(time: Time) -> Result<x509_cert::time::Time, SimulateError> {
    let encoded = || {
        let since_epoch = Duration::from_secs(u64::try_from(time.0).unwrap_or(0));
        let date = DateTime::from_unix_duration(since_epoch)?;
        Ok(if date.year() < 2050 {
            UtcTime::from_date_time(date)?.into()
        } else {
            GeneralizedTime::from_date_time(date).into()
        })
    };
    encoded().map_err(SimulateError::encoding::<der::Error>("time"))
}

/// Later by so many seconds.
pub(crate) fn after(time: Time, seconds: i64) -> Time {
    Time(time.0.saturating_add(seconds))
}

/// An extension of RFC 5280.
pub(crate) fn extension<E: AssociatedOid + Encode>(
    critical: bool,
    value: &E,
) -> Result<Extension, SimulateError> {
    let der = value
        .to_der()
        .map_err(SimulateError::encoding("extension"))?;
    Ok(Extension {
        critical,
        ..raw_extension(E::OID, der)?
    })
}

/// An extension whose value is these bytes as they are.
pub(crate) fn raw_extension(
    extn_id: ObjectIdentifier,
    value: Vec<u8>,
) -> Result<Extension, SimulateError> {
    let extn_value = OctetString::new(value).map_err(SimulateError::encoding("extension"))?;
    Ok(Extension {
        extn_id,
        critical: false,
        extn_value,
    })
}

/// RFC 7093 §2 method 3: the leftmost 160 bits of the key's SHA-384.
pub(crate) fn subject_key_identifier(
    key: &SubjectPublicKeyInfoOwned,
) -> Result<SubjectKeyIdentifier, SimulateError> {
    let digest = sha384(&[key.subject_public_key.raw_bytes()]);
    OctetString::new(&digest[..20])
        .map(SubjectKeyIdentifier)
        .map_err(SimulateError::encoding("key identifier"))
}

/// The issuer's [`subject_key_identifier`].
pub(crate) fn authority_key_identifier(
    issuer: &CertificateKey,
) -> Result<AuthorityKeyIdentifier, SimulateError> {
    Ok(AuthorityKeyIdentifier {
        key_identifier: Some(subject_key_identifier(&issuer.public()?)?.0),
        ..AuthorityKeyIdentifier::default()
    })
}

/// For constants of this crate.
pub(crate) const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}
