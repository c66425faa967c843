//! From a pinned root (ARK) via the intermediate (ASK, ASVK) to the key that signed the report.
//!
//! Certificates that come with the evidence are only candidates: the pinned root's signature is what makes one a link.

use std::sync::Arc;

use x509_parser::prelude::X509Version;

use super::signed::Name;
use super::{
    candidate::{Candidates, Certificate},
    crl,
    product::Product,
    report::SigningKey,
    roots::{AmdRoots, Anchor},
};
use crate::{
    Memory, Rejection, Time,
    encoding::digest::{Hex, sha256},
    transcript::SIMULATED,
};

const ARK: &str = "ARK";
const LEAF: &str = "report key's";

/// The chosen root.
pub(crate) struct Root<'a> {
    pub(crate) anchor: &'a Anchor,
    pub(crate) ark: &'a Arc<Certificate>,
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

/// The one certificate among these whose subject has this common name.
pub(crate) fn find_leaf<'r>(
    certificates: &'r [Arc<Certificate>],
    (kind, common_name): (&'static str, &str),
) -> Result<&'r Arc<Certificate>, Rejection> {
    let mut found: Option<&Arc<Certificate>> = None;
    for certificate in certificates {
        if !certificate.common_names.iter().any(|it| it == common_name) {
            continue;
        }
        match found {
            Some(first) if first.der != certificate.der => {
                return Err(Rejection::LeafAmbiguous { kind });
            }
            _ => found = Some(certificate),
        }
    }
    found.ok_or(Rejection::LeafMissing { kind })
}

/// The accepted root of the product line and of the leaf's organisation. A root that comes with the evidence must be an accepted one.
pub(crate) fn find_root<'r>(
    certificates: &'r [Arc<Certificate>],
    roots: &'r AmdRoots,
    product: Product,
    organisation: &str,
) -> Result<Root<'r>, Rejection> {
    let name = Name {
        organisation: organisation.to_owned(),
        common_name: format!("ARK-{product}"),
    };
    let mut unknown = None;
    for ark in certificates {
        if ark.name.as_ref() != Some(&name) {
            continue;
        }
        let fingerprint = Hex(sha256(&[&ark.der]));
        match roots
            .accept(&ark.der, &fingerprint.0)
            .filter(|anchor| anchor.organisation() == organisation)
        {
            Some(anchor) => {
                return Ok(Root {
                    anchor,
                    ark,
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
            fingerprint: Hex(sha256(&[&ark.der])),
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
    (certificates, candidates): (&[Arc<Certificate>], &Candidates<'_>),
    root: &Root<'_>,
    (leaf_certificate, product): (&Arc<Certificate>, Product),
    signing_key: SigningKey,
    now: Time,
) -> Result<Validity, Rejection> {
    let organisation = root.anchor.organisation();
    let memory = &candidates.memory;
    let (which, common_name) = match signing_key {
        SigningKey::Vlek => ("ASVK", format!("SEV-VLEK-{product}")),
        _ => ("ASK", format!("SEV-{product}")),
    };

    let ark = root.ark;
    check_authority(ARK, ark, ark, (organisation, &format!("ARK-{product}")))?;
    let ask_name = (organisation, common_name.as_str());
    let (ask, is_issuer) =
        find_intermediate(certificates, root, leaf_certificate, ask_name, memory)?;
    check_authority(which, ask, ark, ask_name)?;
    // The root is pinned by its whole DER, and so are AMD's intermediates: verifying their signatures would add nothing.
    let pinned = root.anchor.intermediates().is_some();
    if !pinned && !ask.signed.is_by(ark.key.as_deref(), memory) {
        return Err(Rejection::ChainSignature { which });
    }
    if !is_issuer || leaf_certificate.issuer != ask.subject {
        return Err(Rejection::ChainSignature { which: LEAF });
    }

    let chain = [(ARK, ark), (which, ask), (LEAF, leaf_certificate)];
    let mut until = Time(i64::MAX);
    for (which, certificate) in chain {
        until = until.min(check_validity(which, certificate, now)?);
    }
    let [authorities @ .., _] = &chain;
    let lists = (&candidates.lists[..], memory);
    let revocation_until = crl::check(lists, ark, authorities, now)?;
    for (_, certificate) in chain {
        certificate.keep(memory);
    }
    Ok(Validity {
        until,
        revocation_until,
    })
}

/// The certificate with this name that signed the leaf, and `true`; if none did, any such certificate, whose fault is then reported.
///
/// Below AMD's roots, only the pinned ones count: AMD has revoked an intermediate before, and a list may be missing.
fn find_intermediate<'r>(
    certificates: &'r [Arc<Certificate>],
    root: &Root<'_>,
    leaf: &Certificate,
    name: (&str, &str),
    memory: &Memory,
) -> Result<(&'r Arc<Certificate>, bool), Rejection> {
    let travelling = || nearest(certificates.iter(), leaf, name, memory);
    let found = match root.anchor.intermediates() {
        None => travelling(),
        Some(pinned) => match nearest(pinned.into_iter(), leaf, name, memory) {
            found @ Some((_, true)) => found,
            found => match travelling() {
                Some((other, true)) => {
                    return Err(Rejection::IntermediateUnknown {
                        name: name.1.to_owned(),
                        found: Hex(sha256(&[&other.der])),
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
fn nearest<'r>(
    certificates: impl Iterator<Item = &'r Arc<Certificate>>,
    leaf: &Certificate,
    (organisation, common_name): (&str, &str),
    memory: &Memory,
) -> Option<(&'r Arc<Certificate>, bool)> {
    let mut any = None;
    for certificate in certificates {
        let named = certificate.name.as_ref().is_some_and(|name| {
            name.organisation == organisation && name.common_name == common_name
        });
        if !named {
            continue;
        }
        if leaf.signed.is_by(certificate.key.as_deref(), memory) {
            return Some((certificate, true));
        }
        any = any.or(Some((certificate, false)));
    }
    any
}

/// Checks that this is an authority's certificate with this name, issued in the name of `issuer`. Its signature is checked elsewhere.
fn check_authority(
    which: &'static str,
    certificate: &Certificate,
    issuer: &Certificate,
    (organisation, common_name): (&str, &str),
) -> Result<(), Rejection> {
    let wrong = |what| Err(Rejection::ChainProfile { which, what });
    let expected = Name {
        organisation: organisation.to_owned(),
        common_name: common_name.to_owned(),
    };
    if certificate.version != X509Version::V3 {
        return wrong("it is not X.509 version 3");
    }
    if certificate.name != Some(expected) {
        return wrong("its subject is not the expected one");
    }
    if certificate.issuer != issuer.subject {
        return wrong("its issuer is not the root");
    }
    if !certificate.is_authority {
        return wrong("it is not a certificate authority");
    }
    if !certificate.signs_certificates {
        return wrong("its key may not sign certificates");
    }
    if certificate.unknown_critical {
        return wrong("it has an unknown critical extension");
    }
    Ok(())
}

fn check_validity(
    which: &'static str,
    certificate: &Certificate,
    now: Time,
) -> Result<Time, Rejection> {
    let (from, until) = (certificate.from, certificate.until);
    if now < from {
        return Err(Rejection::CertificateNotYetValid { which, from });
    }
    if now > until {
        return Err(Rejection::CertificateExpired { which, until });
    }
    Ok(until)
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
            fingerprint: Hex(sha256(&[&ark.der])),
        };
        let [leaf, _] = anchor.intermediates().expect("pinned");
        let travelling = [ark.clone()];
        let name = (AMD, "ARK-Milan");
        let found = find_intermediate(&travelling, &root, leaf, name, &Memory::none());
        let unknown = Rejection::IntermediateUnknown {
            name: "ARK-Milan".to_owned(),
            found: root.fingerprint,
        };
        assert_eq!(found.err(), Some(unknown));
    }
}
