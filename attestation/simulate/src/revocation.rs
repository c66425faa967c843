//! Revocation lists: X.509 version 2, each signed by its authority.

use crate::{
    SimulateError,
    x509::{SignCertificates, after, authority_key_identifier, extension, serial_number, time},
};
use chrysalis_attestation::Time;
use der::{Encode, asn1::Uint};
use x509_cert::{
    Version,
    crl::{CertificateList, RevokedCert, TbsCertList},
    ext::pkix::{CrlNumber, IssuingDistributionPoint},
    name::Name,
};

const DAY: i64 = 24 * 3600;
/// AMD's lists are valid for about this long, and Intel's for 30 days.
const CRL_VALIDITY: i64 = 45 * DAY;
/// RFC 5280 §5.2.5: the extension that narrows a list's scope.
const OF_END_ENTITIES: IssuingDistributionPoint = IssuingDistributionPoint {
    distribution_point: None,
    only_contains_user_certs: true,
    only_contains_ca_certs: false,
    only_some_reasons: None,
    indirect_crl: false,
    only_contains_attribute_certs: false,
};

/// The content of a revocation list, for tests that need a particular one.
#[derive(Debug, Clone)]
pub struct CrlProfile {
    /// When it was made.
    pub this_update: Time,
    /// When it must have been replaced; a list that does not say is valid forever, and no verifier should accept it.
    pub next_update: Option<Time>,
    /// Serial numbers of revoked certificates.
    pub revoked: Vec<u128>,
    /// Whether it says that it covers only end entities, so that its silence about others proves nothing.
    pub narrowed: bool,
}

impl CrlProfile {
    /// A list that revokes nothing, made now.
    pub fn empty(this_update: Time) -> Self {
        Self {
            this_update,
            next_update: Some(after(this_update, CRL_VALIDITY)),
            revoked: Vec::new(),
            narrowed: false,
        }
    }

    /// Whether a new list is due: once a day, and whenever the clock was set back.
    pub(crate) fn is_stale(&self, now: Time) -> bool {
        now < self.this_update || now > after(self.this_update, DAY)
    }
}

/// Makes and signs the list for an authority with this name and key.
pub(crate) fn crl(
    authority: &Name,
    key: &impl SignCertificates,
    profile: &CrlProfile,
) -> Result<Vec<u8>, SimulateError> {
    let encoding = "revocation list";
    let this_update = time(profile.this_update)?;
    // List numbers must increase; the time does that without having to remember the last number.
    let number = CrlNumber(
        Uint::new(&profile.this_update.0.to_be_bytes())
            .map_err(SimulateError::encoding(encoding))?,
    );
    let revoked: Vec<_> = profile
        .revoked
        .iter()
        .map(|serial| {
            Ok(RevokedCert {
                serial_number: serial_number(*serial)?,
                revocation_date: this_update,
                crl_entry_extensions: None,
            })
        })
        .collect::<Result<_, SimulateError>>()?;
    let mut extensions = vec![
        extension(false, &authority_key_identifier(key)?)?,
        extension(false, &number)?,
    ];
    if profile.narrowed {
        extensions.push(extension(true, &OF_END_ENTITIES)?);
    }
    let tbs_cert_list = TbsCertList {
        version: Version::V2,
        signature: key.algorithm()?,
        issuer: authority.clone(),
        this_update,
        next_update: profile.next_update.map(time).transpose()?,
        revoked_certificates: (!revoked.is_empty()).then_some(revoked),
        crl_extensions: Some(extensions),
    };
    let message = tbs_cert_list
        .to_der()
        .map_err(SimulateError::encoding(encoding))?;
    let list = CertificateList {
        signature: key.sign(&message)?,
        signature_algorithm: tbs_cert_list.signature.clone(),
        tbs_cert_list,
    };
    list.to_der().map_err(SimulateError::encoding(encoding))
}
