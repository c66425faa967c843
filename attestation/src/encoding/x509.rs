//! Certificates and revocation lists in DER, using `x509-parser`: each by itself, in its one encoding. Trusts none of them.

use x509_parser::{
    oid_registry::Oid,
    prelude::{CertificateRevocationList, FromDer, X509Certificate},
};

use super::der::{Der, tag};
use crate::Rejection;

/// Reads one DER certificate, with nothing after it.
pub(crate) fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, Rejection> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) if has_strict_envelope(der) => Ok(certificate),
        _ => Err(Rejection::CertificateMalformed {
            which: "a certificate",
        }),
    }
}

/// The value of an extension.
pub(crate) fn extension<'a>(certificate: &X509Certificate<'a>, oid: &Oid<'_>) -> Option<&'a [u8]> {
    let found = certificate.extensions().iter().find(|it| it.oid == *oid);
    found.map(|it| it.value)
}

/// Reads one DER revocation list, with nothing after it.
pub(crate) fn revocation_list(der: &[u8]) -> Result<CertificateRevocationList<'_>, Rejection> {
    match CertificateRevocationList::from_der(der) {
        Ok(([], list)) if has_strict_envelope(der) => Ok(list),
        _ => Err(Rejection::CertificateMalformed {
            which: "a revocation list",
        }),
    }
}

/// Whether what the signature does not cover has its one encoding: the parser accepts any other tag in some places.
///
/// The algorithm outside must be, byte for byte, the one inside, which is the first sequence of the signed part.
fn has_strict_envelope(der: &[u8]) -> bool {
    let strict = || {
        let mut outer = Der::new(der);
        let mut whole = outer.enter(tag::SEQUENCE)?;
        outer.end()?;
        let mut signed = whole.enter(tag::SEQUENCE)?;
        let outside = whole.take(tag::SEQUENCE)?;
        let signature = whole.take(tag::BIT_STRING)?;
        whole.end()?;
        let inside = loop {
            let value = signed.any()?;
            if value.tag == tag::SEQUENCE {
                break value.content;
            }
        };
        (signature.first() == Some(&0) && inside == outside).then_some(())
    };
    strict().is_some()
}
