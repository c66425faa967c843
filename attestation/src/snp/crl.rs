//! Revocation lists: signed by the root itself, fresh, and naming no certificate of the chain.
//!
//! AMD's lists carry no scope: the one for VCEK chains and the one for VLEK chains have the same issuer, and either may name any
//! certificate that the root issued. A leaf has serial 0 and cannot be listed: AMD retires leaves by TCB.

use std::sync::Arc;

use x509_parser::utils::format_serial;

use super::candidate::{Certificate, List};
use crate::{Memory, Rejection, Time};

/// Checks `chain` (each with its name) against every list of `root` among `lists`, and returns until when the freshest one is valid.
///
/// `None`: there is no list from this root. A signed list counts against the chain even when it is stale.
pub(crate) fn check(
    (lists, memory): (&[&[u8]], &Memory),
    root: &Certificate,
    chain: &[(&'static str, &Arc<Certificate>)],
    now: Time,
) -> Result<Option<Time>, Rejection> {
    let mut freshest = None;
    let mut unusable = None;
    for der in lists {
        let list = List::recall(der, memory)?;
        if list.issuer != root.subject {
            continue;
        }
        match check_one(&list, root, chain, now, memory) {
            Ok(until) => {
                list.keep(memory);
                freshest = freshest.max(Some(until));
            }
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
    list: &List,
    root: &Certificate,
    chain: &[(&'static str, &Arc<Certificate>)],
    now: Time,
    memory: &Memory,
) -> Result<Time, Rejection> {
    if list.narrowed {
        return Err(Rejection::CrlProfile {
            what: "has an extension that could narrow its scope",
        });
    }
    if !list.signed.is_by(root.key.as_deref(), memory) {
        return Err(Rejection::CrlSignature);
    }
    refuse_listed(list, chain)?;
    let from = list.from;
    let until = list.until.ok_or(Rejection::CrlProfile {
        what: "does not say when it expires",
    })?;
    if now < from {
        return Err(Rejection::CrlNotYetValid { from });
    }
    if now > until {
        return Err(Rejection::CrlExpired { until });
    }
    Ok(until)
}

fn refuse_listed(
    list: &List,
    chain: &[(&'static str, &Arc<Certificate>)],
) -> Result<(), Rejection> {
    let mut chain = chain.iter();
    match chain.find(|(_, certificate)| list.revoked.contains(&certificate.serial)) {
        Some((which, certificate)) => Err(Rejection::CertificateRevoked {
            which,
            serial: format_serial(&certificate.raw_serial),
        }),
        None => Ok(()),
    }
}
