//! Certificates in AMD's profile for Milan and Genoa, field by field as AMD writes them, under another organisation's name.

use crate::{
    SimulateError, TCB,
    line::Line,
    signing::{Keys, public_key},
    x509::{
        COMMON_NAME, COUNTRY, Draft, Form, ORGANISATION_NAME, SignCertificates, after,
        authority_key_identifier, extension, limits, name, oid, raw_extension,
        subject_key_identifier,
    },
};
use chrysalis_attestation::{Time, snp::tcb::Tcb};
use der::{
    Encode,
    asn1::{Ia5String, Ia5StringRef},
};
use x509_cert::{
    ext::{
        Extension,
        pkix::{
            CrlDistributionPoints, KeyUsage, KeyUsages,
            crl::dp::DistributionPoint,
            name::{DistributionPointName, GeneralName},
        },
    },
    name::Name,
};

/// The organisation (O) in every simulated name, where AMD's certificates have "Advanced Micro Devices".
pub const ORGANISATION: &str = "Chrysalis Simulated";

/// The organisation in AMD's own names, for certificates that pose as AMD's.
const AMD: &str = "Advanced Micro Devices";

const YEAR: i64 = 365 * 24 * 3600;
const AUTHORITY_VALIDITY: i64 = 25 * YEAR;
const VCEK_VALIDITY: i64 = 7 * YEAR;

/// The content of a VCEK certificate, for tests that need one with one thing wrong;
/// [`crate::Amd::vcek_profile`] is the honest one.
#[derive(Debug, Clone)]
pub struct VcekProfile {
    /// The serial number: zero in all of AMD's.
    pub serial: u64,
    /// The organisation (O) of the subject.
    pub organisation: String,
    /// The organisation (O) of the issuer.
    pub issuer_organisation: String,
    /// The common name of the issuer.
    pub issuer: String,
    /// The product extension.
    pub product: String,
    /// The chip.
    pub hwid: [u8; 64],
    /// The firmware levels from which the key is derived.
    pub tcb: Tcb,
    /// The first of the four reserved levels: zero in all of AMD's.
    pub reserved_level: u8,
    /// The first second of validity.
    pub not_before: Time,
    /// The last second of validity.
    pub not_after: Time,
    /// Its form.
    pub form: Form,
}

impl VcekProfile {
    /// The certificate of a chip with this identity and the levels of [`TCB`], valid from this second on.
    pub(crate) fn honest(line: &Line, hwid: [u8; 64], not_before: Time) -> Self {
        Self {
            serial: 0,
            organisation: ORGANISATION.to_owned(),
            issuer_organisation: ORGANISATION.to_owned(),
            issuer: format!("SEV-{}", line.name),
            product: line.name.to_owned(),
            hwid,
            tcb: TCB,
            reserved_level: 0,
            not_before,
            not_after: after(not_before, VCEK_VALIDITY),
            form: Form::default(),
        }
    }
}

/// The content of an ASK certificate, for tests that need one with one thing wrong.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that a certificate says or does not"
)]
pub struct AskProfile {
    /// The serial number: [`crate::ASK_SERIAL`].
    pub serial: u64,
    /// Whether it is issued in AMD's name.
    pub poses_as_amd: bool,
    /// The common name of the issuer.
    pub issuer: String,
    /// Whether it claims to be an authority.
    pub is_authority: bool,
    /// Whether its key may sign certificates.
    pub signs_certificates: bool,
    /// Whether it is signed by its own key instead of the root's.
    pub signs_itself: bool,
    /// Its form.
    pub form: Form,
}

impl AskProfile {
    pub(crate) fn honest(line: &Line) -> Self {
        Self {
            serial: line.ask_serial,
            poses_as_amd: false,
            issuer: format!("ARK-{}", line.name),
            is_authority: true,
            signs_certificates: true,
            signs_itself: false,
            form: Form::default(),
        }
    }
}

/// The self-signed root.
pub(crate) fn ark(keys: &Keys, not_before: Time) -> Result<Vec<u8>, SimulateError> {
    let key = keys.ark.public()?;
    let draft = Draft {
        what: "ARK",
        serial: keys.line.ark_serial.into(),
        issuer: ark_name(keys.line)?,
        subject: ark_name(keys.line)?,
        extensions: vec![
            extension(true, &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))?,
            extension(false, &subject_key_identifier(&key)?)?,
            extension(true, &limits(true, None))?,
            extension(false, &crl_distribution_point(keys.line)?)?,
        ],
        key,
        not_before,
        not_after: after(not_before, AUTHORITY_VALIDITY),
    };
    draft.sign(&keys.ark)
}

/// The intermediate that signs VCEKs.
pub(crate) fn ask(
    keys: &Keys,
    not_before: Time,
    profile: &AskProfile,
) -> Result<Vec<u8>, SimulateError> {
    let organisation = if profile.poses_as_amd {
        AMD
    } else {
        ORGANISATION
    };
    let subject = ask_name(keys.line, organisation)?;
    intermediate(keys, not_before, profile, ("ASK", subject))
}

/// The intermediate that signs VLEKs, with the key of the one that signs VCEKs.
pub(crate) fn asvk(keys: &Keys, not_before: Time) -> Result<Vec<u8>, SimulateError> {
    let profile = AskProfile {
        serial: keys.line.asvk_serial,
        ..AskProfile::honest(keys.line)
    };
    intermediate(keys, not_before, &profile, ("ASVK", asvk_name(keys.line)?))
}

fn intermediate(
    keys: &Keys,
    not_before: Time,
    profile: &AskProfile,
    (what, subject): (&'static str, Name),
) -> Result<Vec<u8>, SimulateError> {
    let key = keys.ask.public()?;
    let constraints = limits(profile.is_authority, profile.is_authority.then_some(0));
    let usage = if profile.signs_certificates {
        KeyUsages::KeyCertSign
    } else {
        KeyUsages::CRLSign
    };
    let draft = Draft {
        what,
        serial: profile.serial.into(),
        issuer: amd_name(ORGANISATION, &profile.issuer)?,
        subject,
        extensions: vec![
            extension(false, &subject_key_identifier(&key)?)?,
            extension(false, &authority_key_identifier(&keys.ark)?)?,
            extension(true, &constraints)?,
            extension(true, &KeyUsage(usage.into()))?,
            extension(false, &crl_distribution_point(keys.line)?)?,
        ],
        key,
        not_before,
        not_after: after(not_before, AUTHORITY_VALIDITY),
    };
    let issuer = if profile.signs_itself {
        &keys.ask
    } else {
        &keys.ark
    };
    draft.sign_as(issuer, &profile.form)
}

/// The chip's certificate: serial number 0, and no extensions except AMD's own.
pub(crate) fn vcek(keys: &Keys, profile: &VcekProfile) -> Result<Vec<u8>, SimulateError> {
    let draft = Draft {
        what: "VCEK",
        serial: profile.serial.into(),
        issuer: amd_name(&profile.issuer_organisation, &profile.issuer)?,
        subject: amd_name(&profile.organisation, "SEV-VCEK")?,
        extensions: amd_extensions(profile)?,
        key: public_key(keys.vcek.verifying_key())?,
        not_before: profile.not_before,
        not_after: profile.not_after,
    };
    draft.sign_as(&keys.ask, &profile.form)
}

/// A cloud provider's certificate for the chip's key: it has the provider's name in place of the chip's identity.
pub(crate) fn vlek(
    keys: &Keys,
    profile: &VcekProfile,
    provider: &str,
) -> Result<Vec<u8>, SimulateError> {
    let provider = Ia5StringRef::new(provider).and_then(|provider| provider.to_der());
    let provider = provider.map_err(SimulateError::encoding("provider name"))?;
    let mut extensions = amd_extensions(profile)?;
    // The hardware identity is the last one.
    extensions.pop();
    extensions.push(raw_extension(oid("1.3.6.1.4.1.3704.1.5"), provider)?);
    let draft = Draft {
        what: "VLEK",
        serial: profile.serial.into(),
        issuer: asvk_name(keys.line)?,
        subject: amd_name(&profile.organisation, "SEV-VLEK")?,
        extensions,
        key: public_key(keys.vcek.verifying_key())?,
        not_before: profile.not_before,
        not_after: profile.not_after,
    };
    draft.sign(&keys.ask)
}

/// The root's name, which issues the ASK and the revocation list.
pub(crate) fn ark_name(line: &Line) -> Result<Name, SimulateError> {
    amd_name(ORGANISATION, &format!("ARK-{}", line.name))
}

fn asvk_name(line: &Line) -> Result<Name, SimulateError> {
    amd_name(ORGANISATION, &format!("SEV-VLEK-{}", line.name))
}

fn ask_name(line: &Line, organisation: &str) -> Result<Name, SimulateError> {
    amd_name(organisation, &format!("SEV-{}", line.name))
}

/// A name in AMD's order.
fn amd_name(organisation: &str, common_name: &str) -> Result<Name, SimulateError> {
    name(&[
        ("2.5.4.11", "Engineering"),
        (COUNTRY, "US"),
        ("2.5.4.7", "Santa Clara"),
        ("2.5.4.8", "CA"),
        (ORGANISATION_NAME, organisation),
        (COMMON_NAME, common_name),
    ])
}

/// AMD 57230: structVersion, productName1, the firmware levels and HWID, in the order of AMD's certificates.
fn amd_extensions(profile: &VcekProfile) -> Result<Vec<Extension>, SimulateError> {
    let product = text("product name", &profile.product)?;
    let number = |id, value: u8| {
        let value = value
            .to_der()
            .map_err(SimulateError::encoding("firmware level"))?;
        raw_extension(id, value)
    };
    let tcb = &profile.tcb;
    Ok(vec![
        number(oid("1.3.6.1.4.1.3704.1.1"), 0)?,
        raw_extension(oid("1.3.6.1.4.1.3704.1.2"), product)?,
        number(oid("1.3.6.1.4.1.3704.1.3.1"), tcb.bootloader)?,
        number(oid("1.3.6.1.4.1.3704.1.3.2"), tcb.tee)?,
        number(oid("1.3.6.1.4.1.3704.1.3.4"), profile.reserved_level)?,
        number(oid("1.3.6.1.4.1.3704.1.3.5"), 0)?,
        number(oid("1.3.6.1.4.1.3704.1.3.6"), 0)?,
        number(oid("1.3.6.1.4.1.3704.1.3.7"), 0)?,
        number(oid("1.3.6.1.4.1.3704.1.3.3"), tcb.snp)?,
        number(oid("1.3.6.1.4.1.3704.1.3.8"), tcb.microcode)?,
        // Raw bytes, not DER: here AMD departs from X.509.
        raw_extension(oid("1.3.6.1.4.1.3704.1.4"), profile.hwid.to_vec())?,
    ])
}

fn text(what: &'static str, text: &str) -> Result<Vec<u8>, SimulateError> {
    let der = Ia5StringRef::new(text).and_then(|text| text.to_der());
    der.map_err(SimulateError::encoding(what))
}

/// Where AMD's list would be; a simulated one is never fetched.
fn crl_distribution_point(line: &Line) -> Result<CrlDistributionPoints, SimulateError> {
    let url = format!("https://simulated.invalid/vcek/v1/{}/crl", line.name);
    let url = Ia5String::new(&url).map_err(SimulateError::encoding("address"))?;
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![
            GeneralName::UniformResourceIdentifier(url),
        ])),
        reasons: None,
        crl_issuer: None,
    }]))
}
