//! From a pinned root (ARK) via the intermediate (ASK, ASVK) to the key that signed the report.
//!
//! Certificates that come with the evidence are only candidates: the pinned root's signature is what makes one a link.

use x509_parser::prelude::{X509Certificate, X509Version};

use super::signed::{Name, Signed};
use super::{
    certificate::Leaf,
    crl,
    product::Product,
    report::SigningKey,
    roots::{AmdRoots, Anchor},
};
use crate::{
    Memory, Rejection, Time,
    encoding::{
        digest::{Hex, sha256},
        x509,
    },
    transcript::SIMULATED,
};

const ARK: &str = "ARK";
const LEAF: &str = "report key's";

/// Candidate certificates and lists, from any source.
pub(crate) struct Candidates<'a> {
    pub(crate) certificates: Vec<&'a [u8]>,
    pub(crate) lists: Vec<&'a [u8]>,
    /// What was verified before.
    pub(crate) memory: Memory,
}

/// The chosen root, with its whole DER.
pub(crate) struct Root<'a> {
    pub(crate) anchor: &'a Anchor,
    pub(crate) ark: &'a [u8],
    pub(crate) fingerprint: Hex<32>,
}

/// How long a chain is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    /// When its first certificate expires.
    pub(crate) until: Time,
    /// When its revocation list expires; `None` if there was none, so that revocation is unchecked.
    pub(crate) revocation_until: Option<Time>,
}

/// The one certificate among the candidates whose subject has this common name.
pub(crate) fn find_leaf<'a>(
    candidates: &Candidates<'a>,
    (kind, common_name): (&'static str, &str),
) -> Result<X509Certificate<'a>, Rejection> {
    let mut found: Option<X509Certificate<'a>> = None;
    for der in &candidates.certificates {
        let certificate = x509::certificate(der)?;
        if !has_common_name(&certificate, common_name) {
            continue;
        }
        match &found {
            Some(first) if first.as_raw() != certificate.as_raw() => {
                return Err(Rejection::LeafAmbiguous { kind });
            }
            _ => found = Some(certificate),
        }
    }
    found.ok_or(Rejection::LeafMissing { kind })
}

/// The accepted root of the product line and of the leaf's organisation. A root that comes with the evidence must be an accepted one.
pub(crate) fn find_root<'a>(
    candidates: &Candidates<'a>,
    roots: &'a AmdRoots,
    product: Product,
    organisation: &str,
) -> Result<Root<'a>, Rejection> {
    let name = Name {
        organisation: organisation.to_owned(),
        common_name: format!("ARK-{product}"),
    };
    let mut unknown = None;
    for der in candidates.certificates.iter().copied() {
        if Name::parse(x509::certificate(der)?.subject()).as_ref() != Some(&name) {
            continue;
        }
        let fingerprint = Hex(sha256(&[der]));
        match roots
            .accept(der)
            .filter(|anchor| anchor.organisation() == organisation)
        {
            Some(anchor) => {
                return Ok(Root {
                    anchor,
                    ark: der,
                    fingerprint,
                });
            }
            None => unknown = Some(fingerprint),
        }
    }
    if let (None, Some((anchor, ark))) = (unknown, roots.pinned(product, organisation)) {
        return Ok(Root {
            anchor,
            ark,
            fingerprint: Hex(sha256(&[ark])),
        });
    }
    let root = unknown.map_or(
        format!("{} of {organisation:?}", name.common_name),
        |root| root.to_string(),
    );
    Err(match (organisation == SIMULATED, unknown) {
        (false, _) => Rejection::RootUnknown { root },
        (true, None) if roots.name_a_simulation() => Rejection::RootMissing {
            name: name.common_name,
        },
        (true, _) => Rejection::SimulatedRootRefused { root },
    })
}

/// Verifies root, intermediate and leaf: form, signatures, validity at `now`, revocation.
pub(crate) fn verify(
    candidates: &Candidates<'_>,
    root: &Root<'_>,
    (leaf_certificate, leaf): (&X509Certificate<'_>, &Leaf),
    signing_key: SigningKey,
    now: Time,
) -> Result<Validity, Rejection> {
    let organisation = root.anchor.organisation();
    let (product, memory) = (leaf.product, &candidates.memory);
    let (which, common_name) = match signing_key {
        SigningKey::Vlek => ("ASVK", format!("SEV-VLEK-{product}")),
        _ => ("ASK", format!("SEV-{product}")),
    };

    let ark = x509::certificate(root.ark)?;
    check_authority(ARK, &ark, &ark, (organisation, &format!("ARK-{product}")))?;
    let ask_name = (organisation, common_name.as_str());
    let (ask, is_issuer) = find_intermediate(candidates, root, leaf_certificate, ask_name)?;
    check_authority(which, &ask, &ark, ask_name)?;
    // The root is pinned by its whole DER, and so are AMD's intermediates: verifying their signatures would add nothing.
    let pinned = root.anchor.intermediates().is_some();
    if !pinned && !Signed::certificate(&ask).is_by(ark.public_key(), memory) {
        return Err(Rejection::ChainSignature { which });
    }
    if !is_issuer || leaf_certificate.issuer().as_raw() != ask.subject().as_raw() {
        return Err(Rejection::ChainSignature { which: LEAF });
    }

    let chain = [(ARK, &ark), (which, &ask), (LEAF, leaf_certificate)];
    let mut until = Time(i64::MAX);
    for (which, certificate) in chain {
        until = until.min(check_validity(which, certificate, now)?);
    }
    let [authorities @ .., _] = &chain;
    let lists = (&candidates.lists[..], memory);
    let revocation_until = crl::check(lists, &ark, authorities, now)?;
    Ok(Validity {
        until,
        revocation_until,
    })
}

/// The certificate with this name that signed the leaf, and `true`; if none did, any such certificate, whose fault is then reported.
///
/// Below AMD's roots, only the pinned ones count: AMD has revoked an intermediate before, and a list may be missing.
fn find_intermediate<'a>(
    candidates: &Candidates<'a>,
    root: &Root<'a>,
    leaf: &X509Certificate<'_>,
    name: (&str, &str),
) -> Result<(X509Certificate<'a>, bool), Rejection> {
    let memory = &candidates.memory;
    let travelling = || candidates.certificates.iter().copied();
    let found = match root.anchor.intermediates() {
        None => nearest(travelling(), leaf, name, memory)?,
        Some(pinned) => match nearest(pinned.into_iter(), leaf, name, memory)? {
            found @ Some((_, true)) => found,
            found => match nearest(travelling(), leaf, name, memory)? {
                Some((other, true)) => {
                    return Err(Rejection::IntermediateUnknown {
                        name: name.1.to_owned(),
                        found: Hex(sha256(&[other.as_raw()])),
                    });
                }
                _ => found,
            },
        },
    };
    found.ok_or_else(|| Rejection::IntermediateMissing {
        name: name.1.to_owned(),
    })
}

/// Among the certificates with this name, the one that signed the leaf, and `true`; otherwise the first.
fn nearest<'a>(
    certificates: impl Iterator<Item = &'a [u8]>,
    leaf: &X509Certificate<'_>,
    (organisation, common_name): (&str, &str),
    memory: &Memory,
) -> Result<Option<(X509Certificate<'a>, bool)>, Rejection> {
    let mut any = None;
    for der in certificates {
        let certificate = x509::certificate(der)?;
        let named = Name::parse(certificate.subject()).is_some_and(|name| {
            name.organisation == organisation && name.common_name == common_name
        });
        if !named {
            continue;
        }
        if Signed::certificate(leaf).is_by(certificate.public_key(), memory) {
            return Ok(Some((certificate, true)));
        }
        any = any.or(Some((certificate, false)));
    }
    Ok(any)
}

/// Checks that this is an authority's certificate with this name, issued in the name of `issuer`. Its signature is checked elsewhere.
fn check_authority(
    which: &'static str,
    certificate: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
    (organisation, common_name): (&str, &str),
) -> Result<(), Rejection> {
    let wrong = |what| Err(Rejection::ChainProfile { which, what });
    let expected = Name {
        organisation: organisation.to_owned(),
        common_name: common_name.to_owned(),
    };
    if certificate.version() != X509Version::V3 {
        return wrong("it is not X.509 version 3");
    }
    if Name::parse(certificate.subject()) != Some(expected) {
        return wrong("its subject is not the expected one");
    }
    if certificate.issuer().as_raw() != issuer.subject().as_raw() {
        return wrong("its issuer is not the root");
    }
    if !matches!(certificate.basic_constraints(), Ok(Some(constraints)) if constraints.value.ca) {
        return wrong("it is not a certificate authority");
    }
    if !matches!(certificate.key_usage(), Ok(Some(usage)) if usage.value.key_cert_sign()) {
        return wrong("its key may not sign certificates");
    }
    let unknown_critical = certificate.extensions().iter().any(|extension| {
        extension.critical && !KNOWN_CRITICAL.contains(&extension.oid.to_id_string().as_str())
    });
    if unknown_critical {
        return wrong("it has an unknown critical extension");
    }
    Ok(())
}

/// Basic constraints and key usage. No path length: the chain below a root is always one authority and one leaf.
const KNOWN_CRITICAL: [&str; 2] = ["2.5.29.19", "2.5.29.15"];

fn check_validity(
    which: &'static str,
    certificate: &X509Certificate<'_>,
    now: Time,
) -> Result<Time, Rejection> {
    let from = Time(certificate.validity().not_before.timestamp());
    let until = Time(certificate.validity().not_after.timestamp());
    if now < from {
        return Err(Rejection::CertificateNotYetValid { which, from });
    }
    if now > until {
        return Err(Rejection::CertificateExpired { which, until });
    }
    Ok(until)
}

fn has_common_name(certificate: &X509Certificate<'_>, expected: &str) -> bool {
    certificate
        .subject()
        .iter_common_name()
        .any(|attribute| attribute.as_str() == Ok(expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snp::AMD;

    /// AMD's Milan certificates as a chain one step higher: a root in the intermediate's place signed an ASK in the leaf's place.
    #[test]
    fn refuses_an_intermediate_that_is_not_the_pinned_one() {
        let roots = AmdRoots::amd();
        let (anchor, ark) = roots.pinned(Product::Milan, AMD).expect("pinned");
        let root = Root {
            anchor,
            ark,
            fingerprint: Hex(sha256(&[ark])),
        };
        let [ask, _] = anchor.intermediates().expect("pinned");
        let leaf = x509::certificate(ask).expect("a certificate");
        let candidates = Candidates {
            certificates: vec![ark],
            lists: Vec::new(),
            memory: Memory::none(),
        };
        let found = find_intermediate(&candidates, &root, &leaf, (AMD, "ARK-Milan"));
        let unknown = Rejection::IntermediateUnknown {
            name: "ARK-Milan".to_owned(),
            found: root.fingerprint,
        };
        assert_eq!(found.err(), Some(unknown));
    }
}
