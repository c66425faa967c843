//! What certificates and revocation lists have in common: names, times and extensions.

use crate::SimulateError;
use chrysalis_attestation::{Time, encoding::digest::sha384};
use der::{
    Any, DateTime, Decode, Encode,
    asn1::{
        BitString, GeneralizedTime, ObjectIdentifier, OctetString, PrintableStringRef, SetOfVec,
        UtcTime, Utf8StringRef,
    },
    oid::AssociatedOid,
};
use std::time::Duration;
use x509_cert::{
    Certificate, TbsCertificate, Version,
    attr::AttributeTypeAndValue,
    ext::{
        Extension, Extensions,
        pkix::{AuthorityKeyIdentifier, BasicConstraints, SubjectKeyIdentifier},
    },
    name::{Name, RdnSequence, RelativeDistinguishedName},
    serial_number::SerialNumber,
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
    time::Validity,
};

/// A key that signs certificates and revocation lists.
pub(crate) trait SignCertificates {
    /// The signature algorithm, as named in certificates and lists.
    fn algorithm(&self) -> Result<AlgorithmIdentifierOwned, SimulateError>;

    /// The public key, as in certificates.
    fn public(&self) -> Result<SubjectPublicKeyInfoOwned, SimulateError>;

    /// Signs DER. The same bytes always get the same signature, which keeps seeded vendors reproducible.
    fn sign(&self, message: &[u8]) -> Result<BitString, SimulateError>;
}

/// The form of a certificate, for tests that need one with the wrong form. [`Form::default`] is right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// It claims version 2, which has no extensions, and has extensions anyway.
    pub version_2: bool,
    /// Names this signature algorithm, inside and outside, regardless of what signs it: an `AlgorithmIdentifier`, DER.
    pub algorithm: Option<Vec<u8>>,
    /// Names this signature algorithm inside, where it is signed, and another outside: an `AlgorithmIdentifier`, DER.
    pub algorithm_inside: Option<Vec<u8>>,
    /// Says that the public key is of this algorithm, whatever it is: an `AlgorithmIdentifier`, DER.
    pub key_algorithm: Option<Vec<u8>>,
    /// Marks this many bits at the end of the public key as unused. They are zero, even if they should not be.
    pub unused_bits_of_key: u8,
    /// Marks this many bits at the end of the signature as unused. They are zero, even if they should not be.
    pub unused_bits_of_signature: u8,
    /// Has an unknown critical extension with this OID.
    pub critical_extension: Option<&'static str>,
}

/// The content of one certificate, before it is signed.
pub(crate) struct Draft {
    pub(crate) what: &'static str,
    pub(crate) serial: u128,
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
    pub(crate) key: SubjectPublicKeyInfoOwned,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    pub(crate) extensions: Extensions,
}

impl Draft {
    /// The DER, signed.
    pub(crate) fn sign(self, issuer: &impl SignCertificates) -> Result<Vec<u8>, SimulateError> {
        self.sign_as(issuer, &Form::default())
    }

    /// The same in another form.
    pub(crate) fn sign_as(
        mut self,
        issuer: &impl SignCertificates,
        form: &Form,
    ) -> Result<Vec<u8>, SimulateError> {
        let what = self.what;
        if let Some(id) = form.critical_extension {
            let unknown = raw_extension(oid(id), vec![5, 0])?;
            self.extensions.push(Extension {
                critical: true,
                ..unknown
            });
        }
        cut(&mut self.key.subject_public_key, form.unused_bits_of_key)?;
        let named = |der: &Option<Vec<u8>>| {
            let read = |der: &Vec<u8>| AlgorithmIdentifierOwned::from_der(der);
            let algorithm = der.as_ref().map(read).transpose();
            algorithm.map_err(SimulateError::encoding(what))
        };
        if let Some(algorithm) = named(&form.key_algorithm)? {
            self.key.algorithm = algorithm;
        }
        let outside = match named(&form.algorithm)? {
            Some(algorithm) => algorithm,
            None => issuer.algorithm()?,
        };
        let inside = named(&form.algorithm_inside)?.unwrap_or_else(|| outside.clone());
        let tbs_certificate = TbsCertificate {
            version: if form.version_2 {
                Version::V2
            } else {
                Version::V3
            },
            serial_number: serial_number(self.serial)?,
            signature: inside,
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
            .map_err(SimulateError::encoding(what))?;
        let mut signature = issuer.sign(&message)?;
        cut(&mut signature, form.unused_bits_of_signature)?;
        let certificate = Certificate {
            signature,
            signature_algorithm: outside,
            tbs_certificate,
        };
        certificate.to_der().map_err(SimulateError::encoding(what))
    }
}

/// Marks the last bits as unused; DER then requires them to be zero.
fn cut(bits: &mut BitString, unused: u8) -> Result<(), SimulateError> {
    let mut bytes = bits.raw_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last &= u8::MAX << unused.min(7);
    }
    *bits = BitString::new(unused, bytes).map_err(SimulateError::encoding("bit string"))?;
    Ok(())
}

/// C of a name, a `PrintableString`; everything else in names is UTF-8.
pub(crate) const COUNTRY: &str = "2.5.4.6";
/// O of a name.
pub(crate) const ORGANISATION_NAME: &str = "2.5.4.10";
/// CN of a name.
pub(crate) const COMMON_NAME: &str = "2.5.4.3";

/// A name with these attributes, each an OID and a text, in this order.
pub(crate) fn name(attributes: &[(&str, &str)]) -> Result<Name, SimulateError> {
    let attribute = |(arc, text): &(&str, &str)| {
        let value = if *arc == COUNTRY {
            Any::encode_from(&PrintableStringRef::new(text)?)?
        } else {
            Any::encode_from(&Utf8StringRef::new(text)?)?
        };
        let attribute = AttributeTypeAndValue {
            oid: oid(arc),
            value,
        };
        SetOfVec::try_from([attribute]).map(RelativeDistinguishedName)
    };
    let attributes: der::Result<_> = attributes.iter().map(attribute).collect();
    attributes
        .map(RdnSequence)
        .map_err(SimulateError::encoding("name"))
}

/// Without the zeros before it.
pub(crate) fn serial_number(number: u128) -> Result<SerialNumber, SimulateError> {
    SerialNumber::new(&number.to_be_bytes()).map_err(SimulateError::encoding("serial number"))
}

/// X.509 writes years before 2050 as `UTCTime`, later ones as `GeneralizedTime`.
pub(crate) fn time(time: Time) -> Result<x509_cert::time::Time, SimulateError> {
    let encoded = || {
        let date = date(time)?;
        Ok(if date.year() < 2050 {
            UtcTime::from_date_time(date)?.into()
        } else {
            GeneralizedTime::from_date_time(date).into()
        })
    };
    encoded().map_err(SimulateError::encoding::<der::Error>("time"))
}

/// `GeneralizedTime`, as OCSP writes every year.
pub(crate) fn generalized_time(time: Time) -> Result<Vec<u8>, SimulateError> {
    date(time)
        .and_then(|date| GeneralizedTime::from_date_time(date).to_der())
        .map_err(SimulateError::encoding("time"))
}

/// As Intel's service writes times: `2026-03-01T00:00:00Z`.
pub(crate) fn rfc3339(time: Time) -> String {
    date(time).map_or_else(|_| String::new(), |date| date.to_string())
}

/// Nothing is signed before 1970.
fn date(time: Time) -> der::Result<DateTime> {
    DateTime::from_unix_duration(Duration::from_secs(u64::try_from(time.0).unwrap_or(0)))
}

/// This many seconds later.
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

/// Whether a certificate is an authority's, and how many may be below it.
pub(crate) fn limits(ca: bool, path_len_constraint: Option<u8>) -> BasicConstraints {
    BasicConstraints {
        ca,
        path_len_constraint,
    }
}

/// An extension with exactly these bytes as its value.
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
    issuer: &impl SignCertificates,
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
