//! Certificates in AMD's profile for Genoa, field by field as AMD writes them, under another organisation's name.

use crate::{
    SimulateError, TCB,
    signing::{CertificateKey, Keys, public_key, signature_algorithm},
};
use chrysalis_attestation::{Time, digest::sha384, snp::tcb::Tcb};
use der::{
    Any, DateTime, Encode,
    asn1::{
        GeneralizedTime, Ia5StringRef, ObjectIdentifier, OctetString, PrintableStringRef, SetOfVec,
        UtcTime, Utf8StringRef,
    },
    oid::AssociatedOid,
};
use std::time::Duration;
use x509_cert::{
    Certificate, TbsCertificate, Version,
    attr::AttributeTypeAndValue,
    ext::{
        Extension,
        pkix::{
            AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, KeyUsage, KeyUsages,
            SubjectKeyIdentifier,
            crl::dp::DistributionPoint,
            name::{DistributionPointName, GeneralName},
        },
    },
    name::{Name, RdnSequence, RelativeDistinguishedName},
    serial_number::SerialNumber,
    spki::SubjectPublicKeyInfoOwned,
    time::Validity,
};

/// The organisation (O) in every simulated name, where AMD's certificates have "Advanced Micro Devices".
pub const ORGANISATION: &str = "Chrysalis Simulated";

/// The product line: names, product extension, and the family and model in reports agree on it.
const PRODUCT: &str = "Genoa";
/// AMD's numbers for Genoa.
const ARK_SERIAL: u32 = 0x20000;
/// AMD's number for the Genoa ASK, for a revocation list that names it.
pub const ASK_SERIAL: u32 = 0x20002;
/// Where AMD's list would be; nobody fetches a simulated one.
const CRL_URL: &str = "https://simulated.invalid/vcek/v1/Genoa/crl";

const YEAR: i64 = 365 * 24 * 3600;
const AUTHORITY_VALIDITY: i64 = 25 * YEAR;
const VCEK_VALIDITY: i64 = 7 * YEAR;

const STRUCT_VERSION: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.1");
const PRODUCT_NAME: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.2");
const HWID: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.4");

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// What a VCEK certificate says, for tests that need one which is wrong in one thing.
/// [`crate::Amd::vcek_profile`] is the honest one.
#[derive(Debug, Clone)]
pub struct VcekProfile {
    /// The organisation (O) of the subject.
    pub organisation: String,
    /// The product extension.
    pub product: String,
    /// The chip.
    pub hwid: [u8; 64],
    /// The firmware levels that the key is derived from.
    pub tcb: Tcb,
    /// The first second of validity.
    pub not_before: Time,
    /// The last second of validity.
    pub not_after: Time,
}

impl VcekProfile {
    /// The certificate of a chip with this identity and the levels of [`TCB`], from this second on.
    pub(crate) fn honest(hwid: [u8; 64], not_before: Time) -> Self {
        Self {
            organisation: ORGANISATION.to_owned(),
            product: PRODUCT.to_owned(),
            hwid,
            tcb: TCB,
            not_before,
            not_after: after(not_before, VCEK_VALIDITY),
        }
    }
}

/// The self-signed root.
pub(crate) fn ark(keys: &Keys, not_before: Time) -> Result<Vec<u8>, SimulateError> {
    let key = keys.ark.public()?;
    let extensions = vec![
        extension(true, &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))?,
        extension(false, &subject_key_identifier(&key)?)?,
        extension(
            true,
            &BasicConstraints {
                ca: true,
                path_len_constraint: None,
            },
        )?,
        extension(false, &crl_distribution_point()?)?,
    ];
    certificate(
        "ARK",
        &keys.ark,
        TbsCertificate {
            serial_number: SerialNumber::from(ARK_SERIAL),
            subject: ark_name()?,
            extensions: Some(extensions),
            ..template(
                ark_name()?,
                key,
                (not_before, after(not_before, AUTHORITY_VALIDITY)),
            )?
        },
    )
}

/// The intermediate that signs VCEKs.
pub(crate) fn ask(keys: &Keys, not_before: Time) -> Result<Vec<u8>, SimulateError> {
    let key = keys.ask.public()?;
    let extensions = vec![
        extension(false, &subject_key_identifier(&key)?)?,
        extension(false, &authority_key_identifier(&keys.ark)?)?,
        extension(
            true,
            &BasicConstraints {
                ca: true,
                path_len_constraint: Some(0),
            },
        )?,
        extension(true, &KeyUsage(KeyUsages::KeyCertSign.into()))?,
        extension(false, &crl_distribution_point()?)?,
    ];
    certificate(
        "ASK",
        &keys.ark,
        TbsCertificate {
            serial_number: SerialNumber::from(ASK_SERIAL),
            subject: name(ORGANISATION, &format!("SEV-{PRODUCT}"))?,
            extensions: Some(extensions),
            ..template(
                ark_name()?,
                key,
                (not_before, after(not_before, AUTHORITY_VALIDITY)),
            )?
        },
    )
}

/// The chip's certificate: serial number 0, and no extensions but AMD's own, in AMD's order.
pub(crate) fn vcek(keys: &Keys, profile: &VcekProfile) -> Result<Vec<u8>, SimulateError> {
    let tcb = &profile.tcb;
    let product = Ia5StringRef::new(&profile.product)
        .and_then(|product| product.to_der())
        .map_err(SimulateError::encoding("product name"))?;
    let mut extensions = vec![
        amd(STRUCT_VERSION, integer(0)?)?,
        amd(PRODUCT_NAME, product)?,
    ];
    let levels = [
        (1, tcb.bootloader),
        (2, tcb.tee),
        (4, 0),
        (5, 0),
        (6, 0),
        (7, 0),
        (3, tcb.snp),
        (8, tcb.microcode),
    ];
    for (component, level) in levels {
        extensions.push(amd(
            oid("1.3.6.1.4.1.3704.1.3")
                .push_arc(component)
                .map_err(SimulateError::encoding("extension"))?,
            integer(level)?,
        )?);
    }
    // Raw bytes, not DER: AMD's own departure from X.509.
    extensions.push(amd(HWID, profile.hwid.to_vec())?);
    certificate(
        "VCEK",
        &keys.ask,
        TbsCertificate {
            subject: name(&profile.organisation, "SEV-VCEK")?,
            extensions: Some(extensions),
            ..template(
                name(ORGANISATION, &format!("SEV-{PRODUCT}"))?,
                public_key(keys.vcek.verifying_key())?,
                (profile.not_before, profile.not_after),
            )?
        },
    )
}

/// The root's subject, which issues the ASK and the revocation list.
pub(crate) fn ark_name() -> Result<Name, SimulateError> {
    name(ORGANISATION, &format!("ARK-{PRODUCT}"))
}

/// RFC 7093 §2 method 3: the leftmost 160 bits of the key's SHA-384.
pub(crate) fn authority_key_identifier(
    issuer: &CertificateKey,
) -> Result<AuthorityKeyIdentifier, SimulateError> {
    Ok(AuthorityKeyIdentifier {
        key_identifier: Some(subject_key_identifier(&issuer.public()?)?.0),
        ..AuthorityKeyIdentifier::default()
    })
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
        ..amd(E::OID, der)?
    })
}

/// X.509 writes years before 2050 as `UTCTime`, later ones as `GeneralizedTime`.
pub(crate) fn time(time: Time) -> Result<x509_cert::time::Time, SimulateError> {
    let since_epoch = Duration::from_secs(u64::try_from(time.0).unwrap_or(0));
    let date =
        DateTime::from_unix_duration(since_epoch).map_err(SimulateError::encoding("time"))?;
    Ok(if date.year() < 2050 {
        x509_cert::time::Time::UtcTime(
            UtcTime::from_date_time(date).map_err(SimulateError::encoding("time"))?,
        )
    } else {
        x509_cert::time::Time::GeneralTime(GeneralizedTime::from_date_time(date))
    })
}

/// Later by so many seconds.
pub(crate) fn after(time: Time, seconds: i64) -> Time {
    Time(time.0.saturating_add(seconds))
}

/// A certificate of serial number 0 whose subject is its issuer, to be completed.
fn template(
    issuer: Name,
    key: SubjectPublicKeyInfoOwned,
    (not_before, not_after): (Time, Time),
) -> Result<TbsCertificate, SimulateError> {
    Ok(TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&[0]).map_err(SimulateError::encoding("serial number"))?,
        signature: signature_algorithm()?,
        subject: issuer.clone(),
        issuer,
        validity: Validity {
            not_before: time(not_before)?,
            not_after: time(not_after)?,
        },
        subject_public_key_info: key,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: None,
    })
}

fn certificate(
    what: &'static str,
    issuer: &CertificateKey,
    tbs_certificate: TbsCertificate,
) -> Result<Vec<u8>, SimulateError> {
    let message = tbs_certificate
        .to_der()
        .map_err(SimulateError::encoding(what))?;
    let certificate = Certificate {
        signature: issuer.sign(&message)?,
        signature_algorithm: tbs_certificate.signature.clone(),
        tbs_certificate,
    };
    certificate.to_der().map_err(SimulateError::encoding(what))
}

/// A name in AMD's order and AMD's string types.
fn name(organisation: &str, common_name: &str) -> Result<Name, SimulateError> {
    let utf8 = |text| Utf8StringRef::new(text).and_then(|text| Any::encode_from(&text));
    let parts = || {
        Ok([
            (oid("2.5.4.11"), utf8("Engineering")?),
            (
                oid("2.5.4.6"),
                Any::encode_from(&PrintableStringRef::new("US")?)?,
            ),
            (oid("2.5.4.7"), utf8("Santa Clara")?),
            (oid("2.5.4.8"), utf8("CA")?),
            (oid("2.5.4.10"), utf8(organisation)?),
            (oid("2.5.4.3"), utf8(common_name)?),
        ])
    };
    let parts: [_; 6] = parts().map_err(SimulateError::encoding::<der::Error>("name"))?;
    let relative = parts.into_iter().map(|(oid, value)| {
        SetOfVec::try_from([AttributeTypeAndValue { oid, value }]).map(RelativeDistinguishedName)
    });
    relative
        .collect::<Result<Vec<_>, _>>()
        .map(RdnSequence)
        .map_err(SimulateError::encoding("name"))
}

fn crl_distribution_point() -> Result<CrlDistributionPoints, SimulateError> {
    let url = der::asn1::Ia5String::new(CRL_URL).map_err(SimulateError::encoding("address"))?;
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![
            GeneralName::UniformResourceIdentifier(url),
        ])),
        reasons: None,
        crl_issuer: None,
    }]))
}

fn subject_key_identifier(
    key: &SubjectPublicKeyInfoOwned,
) -> Result<SubjectKeyIdentifier, SimulateError> {
    let digest = sha384(&[key.subject_public_key.raw_bytes()]);
    OctetString::new(&digest[..20])
        .map(SubjectKeyIdentifier)
        .map_err(SimulateError::encoding("key identifier"))
}

/// An extension whose value is these bytes as they are.
fn amd(extn_id: ObjectIdentifier, value: Vec<u8>) -> Result<Extension, SimulateError> {
    let extn_value = OctetString::new(value).map_err(SimulateError::encoding("extension"))?;
    Ok(Extension {
        extn_id,
        critical: false,
        extn_value,
    })
}

fn integer(value: u8) -> Result<Vec<u8>, SimulateError> {
    value
        .to_der()
        .map_err(SimulateError::encoding("firmware level"))
}
