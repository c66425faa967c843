//! A key with its certificate: the building block of the chains of the simulated NVIDIA and Intel.
//!
//! Keys follow from the issuer's seed and the subject's name, so a vendor can be recreated from 32 bytes, and a certificate that a
//! test issues again, with one thing wrong, still belongs to the same key.

use crate::{
    CrlProfile, Curve, Form, ORGANISATION, SimulateError,
    key::{Key, seed_below},
    revocation,
    x509::{
        COMMON_NAME, Draft, ORGANISATION_NAME, SignCertificates, authority_key_identifier,
        extension, limits, name, oid, raw_extension, subject_key_identifier,
    },
};
use chrysalis_attestation::Time;
use der::Encode;
use x509_cert::{
    ext::{
        Extensions,
        pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages},
    },
    name::Name,
};

/// 2020-01-01 00:00 UTC
const ROOTS_FROM: Time = Time(1_577_836_800);
/// 9999-12-31 23:59:59 UTC, which RFC 5280 §4.1.2.5 defines as no end. A root has to stay the same from run to run.
const ROOTS_UNTIL: Time = Time(253_402_300_799);
/// Everything else is valid from this long before the vendor's present …
const BEFORE: i64 = 365 * 24 * 3600;
/// … until this long after it.
const AFTER: i64 = 10 * 365 * 24 * 3600;
const MADE: &str = "names and values are short, and times end with the year 9999";

/// What a certificate may be used for: its key usage and basic constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Issues certificates and revocation lists, with at most this many authorities below it.
    Authority(Option<u8>),
    /// The same, but its basic constraints are not critical: a lie for tests.
    UncriticalAuthority,
    /// Calls itself an authority, but may not sign certificates: a lie for tests.
    IdleAuthority,
    /// Issues certificates, but may not sign revocation lists: a lie for tests.
    AuthorityWithoutLists,
    /// Signs messages; says nothing about issuing, like NVIDIA's.
    Signs,
    /// Signs messages, and says that it issues nothing, like Intel's.
    SignsOnly,
    /// Says nothing at all: a lie for tests.
    Unsaid,
    /// Signs messages, and calls itself an authority: a lie for tests.
    SignsAndIssues,
    /// May sign all that an authority does and messages too, but says that it is none: a lie for tests.
    NoAuthority,
    /// May agree on keys, and says that it issues nothing: a lie for tests.
    Agrees,
}

/// The content of one certificate. Tests may change any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// O of the subject.
    pub organisation: String,
    /// CN of the subject.
    pub common_name: String,
    /// Distinguishes certificates with the same name and issuer, each of which has its own key.
    pub number: u64,
    /// The serial number, unless it should follow from the key.
    pub serial: Option<u128>,
    /// The first second of validity.
    pub not_before: Time,
    /// The last second of validity.
    pub not_after: Time,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether its extended key usage is OCSP signing.
    pub signs_ocsp: bool,
    /// Further extensions: OID in dotted form, and the exact bytes of the value.
    pub extensions: Vec<(&'static str, Vec<u8>)>,
    /// Its form.
    pub form: Form,
}

impl Profile {
    /// A certificate with this name, valid from a year ago until ten years from now.
    pub fn new(common_name: &str, purpose: Purpose, now: Time) -> Self {
        Self {
            organisation: ORGANISATION.to_owned(),
            common_name: common_name.to_owned(),
            number: 0,
            serial: None,
            not_before: Time(now.0.saturating_sub(BEFORE).clamp(0, ROOTS_UNTIL.0)),
            not_after: Time(now.0.saturating_add(AFTER).clamp(0, ROOTS_UNTIL.0)),
            purpose,
            signs_ocsp: false,
            extensions: Vec::new(),
            form: Form::default(),
        }
    }

    /// The certificate of a root, which is the same at any time.
    pub fn root(common_name: &str) -> Self {
        Self {
            not_before: ROOTS_FROM,
            not_after: ROOTS_UNTIL,
            ..Self::new(common_name, Purpose::Authority(None), ROOTS_FROM)
        }
    }
}

/// A key and its certificate. It signs anything.
#[derive(Clone)]
pub struct Signer {
    /// The certificate. A test may put other bytes here; what is signed below it stays unchanged.
    pub der: Vec<u8>,
    profile: Profile,
    curve: Curve,
    seed: [u8; 32],
    serial: u128,
    key: Key,
}

impl Signer {
    /// A self-signed root whose key follows from the seed and the name.
    pub fn root(curve: Curve, seed: &[u8; 32], profile: Profile) -> Self {
        Self::make(curve, seed, profile, None)
    }

    /// Issues a certificate with any content, whether or not this may issue any.
    #[must_use]
    pub fn issue(&self, profile: Profile) -> Self {
        Self::make(self.curve, &self.seed, profile, Some(self))
    }

    fn make(curve: Curve, above: &[u8; 32], profile: Profile, issuer: Option<&Self>) -> Self {
        let seed = seed_below(above, &profile.common_name, profile.number);
        let key = Key::from_seed(curve, seed_below(&seed, "key", 0));
        // It looks random and is never zero, as RFC 5280 §4.1.2.2 requires.
        let drawn = seed_below(&seed, "serial", 0);
        let drawn = drawn
            .iter()
            .take(7)
            .fold(1, |number, byte| number << 8 | u128::from(*byte));
        let serial = profile.serial.unwrap_or(drawn);
        let mut signer = Self {
            der: Vec::new(),
            profile,
            curve,
            seed,
            serial,
            key,
        };
        signer.der = signer.certified_by(issuer.unwrap_or(&signer));
        signer
    }

    /// The same name and key in another certificate, with another serial number. DER.
    pub fn issued_again(&self, issuer: &Self) -> Vec<u8> {
        let mut again = self.clone();
        again.serial = again.serial.wrapping_add(1);
        again.certified_by(issuer)
    }

    /// The same key under another name, which whatever it then issues names as its issuer.
    #[must_use]
    pub fn renamed(&self, common_name: &str) -> Self {
        let mut renamed = self.clone();
        common_name.clone_into(&mut renamed.profile.common_name);
        renamed
    }

    fn certified_by(&self, issuer: &Self) -> Vec<u8> {
        let profile = &self.profile;
        let extensions = self.extensions(issuer);
        let draft = Draft {
            what: "certificate",
            serial: self.serial,
            issuer: issuer.name(),
            subject: self.name(),
            key: self.key.public().expect(MADE),
            not_before: profile.not_before,
            not_after: profile.not_after,
            extensions: extensions.expect(MADE),
        };
        draft.sign_as(&issuer.key, &profile.form).expect(MADE)
    }

    fn extensions(&self, issuer: &Self) -> Result<Extensions, SimulateError> {
        let profile = &self.profile;
        let signs = KeyUsages::DigitalSignature.into();
        let authority = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
        let (constraints, usages) = match profile.purpose {
            Purpose::Authority(below) => (Some((true, below)), Some(authority)),
            Purpose::UncriticalAuthority => (Some((true, Some(0))), Some(authority)),
            Purpose::IdleAuthority => (Some((true, Some(0))), Some(KeyUsages::CRLSign.into())),
            Purpose::AuthorityWithoutLists => {
                (Some((true, Some(0))), Some(KeyUsages::KeyCertSign.into()))
            }
            Purpose::Signs => (None, Some(signs)),
            Purpose::SignsOnly => (Some((false, None)), Some(signs)),
            Purpose::Unsaid => (None, None),
            Purpose::SignsAndIssues => (Some((true, None)), Some(signs)),
            Purpose::NoAuthority => (Some((false, None)), Some(signs | authority)),
            Purpose::Agrees => (Some((false, None)), Some(KeyUsages::KeyAgreement.into())),
        };
        let mut extensions = vec![
            extension(false, &subject_key_identifier(&self.key.public()?)?)?,
            extension(false, &authority_key_identifier(&issuer.key)?)?,
        ];
        if let Some((ca, path_len_constraint)) = constraints {
            let critical = profile.purpose != Purpose::UncriticalAuthority;
            extensions.push(extension(critical, &limits(ca, path_len_constraint))?);
        }
        if let Some(usages) = usages {
            extensions.push(extension(true, &KeyUsage(usages))?);
        }
        if profile.signs_ocsp {
            let purposes = ExtendedKeyUsage(vec![oid("1.3.6.1.5.5.7.3.9")]);
            extensions.push(extension(false, &purposes)?);
        }
        for (id, value) in &profile.extensions {
            extensions.push(raw_extension(oid(id), value.clone())?);
        }
        Ok(extensions)
    }

    /// Its content, to be changed and issued again.
    pub fn profile(&self) -> Profile {
        self.profile.clone()
    }

    /// Its serial number, by which revocation lists refer to it.
    pub fn serial(&self) -> u128 {
        self.serial
    }

    /// Signs; r and s in DER, as in X.509 and OCSP.
    pub fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign_der(message)
    }

    /// Signs; r and s big-endian, as in reports and documents.
    pub fn sign_fixed(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign_fixed(message)
    }

    /// The public key as an uncompressed point, 4 ‖ x ‖ y, as hashed by OCSP and contained in quotes.
    pub fn point(&self) -> Vec<u8> {
        self.key.point()
    }

    /// Issues this authority's revocation list, with any content. DER.
    pub fn revocation_list(&self, profile: &CrlProfile) -> Vec<u8> {
        revocation::crl(&self.name(), &self.key, profile).expect(MADE)
    }

    /// The subject's name, DER.
    pub(crate) fn name_der(&self) -> Vec<u8> {
        self.name().to_der().expect(MADE)
    }

    /// The `SubjectPublicKeyInfo`, DER.
    pub(crate) fn public_key_der(&self) -> Vec<u8> {
        let key = self.key.public().expect(MADE);
        key.to_der().expect(MADE)
    }

    fn name(&self) -> Name {
        let profile = &self.profile;
        let attributes = [
            (ORGANISATION_NAME, profile.organisation.as_str()),
            (COMMON_NAME, profile.common_name.as_str()),
        ];
        let only_organisation = profile.common_name.is_empty();
        let attributes = if only_organisation {
            &attributes[..1]
        } else {
            &attributes
        };
        name(attributes).expect(MADE)
    }
}
