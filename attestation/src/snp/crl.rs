//! Revocation lists: signed by the root itself, fresh, and naming no certificate of the chain.
//!
//! AMD's lists carry no scope: the one for VCEK chains and the one for VLEK chains have the same issuer, and either may name any
//! certificate that the root issued. A leaf has serial 0 and cannot be listed: AMD retires leaves by TCB.

use x509_parser::{
    num_bigint::BigUint,
    prelude::{CertificateRevocationList, X509Certificate},
};

use super::signed::Signed;
use crate::{Memory, Rejection, Time, encoding::x509};

/// Extensions that a list may have: authority key identifier and list number. Others could narrow its scope.
const KNOWN_EXTENSIONS: [&str; 2] = ["2.5.29.35", "2.5.29.20"];

/// Checks `chain` (each with its name) against every list of `root` among `lists`, and returns until when the freshest one is valid.
///
/// `None`: there is no list from this root. A signed list counts against the chain even when it is stale.
pub(crate) fn check(
    (lists, memory): (&[&[u8]], &Memory),
    root: &X509Certificate<'_>,
    chain: &[(&'static str, &X509Certificate<'_>)],
    now: Time,
) -> Result<Option<Time>, Rejection> {
    let mut freshest = None;
    let mut unusable = None;
    for der in lists {
        let list = x509::revocation_list(der)?;
        if list.issuer().as_raw() != root.subject().as_raw() {
            continue;
        }
        match check_one(&list, root, chain, now, memory) {
            Ok(until) => freshest = freshest.max(Some(until)),
            Err(revoked @ Rejection::CertificateRevoked { .. }) => return Err(revoked),
            Err(rejection) => unusable = unusable.or(Some(rejection)),
        }
    }
    match (freshest, unusable) {
        (None, Some(rejection)) => Err(rejection),
        (freshest, _) => Ok(freshest),
    }
}

/// Until when this list from the root is valid.
fn check_one(
    list: &CertificateRevocationList<'_>,
    root: &X509Certificate<'_>,
    chain: &[(&'static str, &X509Certificate<'_>)],
    now: Time,
    memory: &Memory,
) -> Result<Time, Rejection> {
    let narrowed = list
        .extensions()
        .iter()
        .any(|extension| !KNOWN_EXTENSIONS.contains(&extension.oid.to_id_string().as_str()));
    if narrowed {
        return Err(Rejection::CrlProfile {
            what: "has an extension that could narrow its scope",
        });
    }
    if !Signed::revocation_list(list).is_by(root.public_key(), memory) {
        return Err(Rejection::CrlSignature);
    }
    refuse_listed(list, chain)?;
    let from = Time(list.last_update().timestamp());
    let until = list.next_update().ok_or(Rejection::CrlProfile {
        what: "does not say when it expires",
    })?;
    let until = Time(until.timestamp());
    if now < from {
        return Err(Rejection::CrlNotYetValid { from });
    }
    if now > until {
        return Err(Rejection::CrlExpired { until });
    }
    Ok(until)
}

fn refuse_listed(
    list: &CertificateRevocationList<'_>,
    chain: &[(&'static str, &X509Certificate<'_>)],
) -> Result<(), Rejection> {
    let listed = |serial: &BigUint| {
        list.iter_revoked_certificates()
            .any(|revoked| revoked.serial() == serial)
    };
    match chain
        .iter()
        .find(|(_, certificate)| listed(&certificate.tbs_certificate.serial))
    {
        Some((which, certificate)) => Err(Rejection::CertificateRevoked {
            which,
            serial: certificate.tbs_certificate.raw_serial_as_string(),
        }),
        None => Ok(()),
    }
}
