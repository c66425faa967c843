//! X.509 certificates and revocation lists in words.

use chrysalis_attestation::{Time, encoding::digest::sha256, transcript::SIMULATED};
use x509_parser::{
    prelude::{FromDer, X509Certificate},
    revocation_list::CertificateRevocationList,
};

use super::page::Page;

/// Whether these bytes are a certificate and nothing else.
pub(super) fn is_certificate(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(rest, _)| rest.is_empty())
}

/// Whether a certificate says that its vendor is simulated. Only a hint for people: who lies would not say so.
pub(super) fn is_simulated(der: &[u8]) -> bool {
    X509Certificate::from_der(der)
        .is_ok_and(|(_, certificate)| certificate.issuer().to_string().contains(SIMULATED))
}

pub(super) fn certificate(page: &mut Page, der: &[u8]) {
    page.hex(
        "sha256",
        sha256(&[der]),
        &format!("of its {} bytes; pins a root", der.len()),
    );
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return page.row("unreadable", "", "this is no X.509 certificate");
    };
    let validity = certificate.validity();
    page.row("subject", certificate.subject(), "whose key it holds");
    page.row("issuer", certificate.issuer(), "who says so");
    page.row(
        "serial",
        certificate.raw_serial_as_string(),
        "what a revocation list would name",
    );
    page.row("valid from", moment(validity.not_before.timestamp()), "");
    page.row("valid until", moment(validity.not_after.timestamp()), "");
}

pub(super) fn revocation_list(page: &mut Page, der: &[u8]) {
    page.hex(
        "sha256",
        sha256(&[der]),
        &format!("of its {} bytes", der.len()),
    );
    let Ok((_, list)) = CertificateRevocationList::from_der(der) else {
        return page.row("unreadable", "", "this is no X.509 revocation list");
    };
    page.row("issuer", list.issuer(), "who revokes");
    page.row("made", moment(list.last_update().timestamp()), "");
    match list.next_update() {
        Some(next) => page.row(
            "good until",
            moment(next.timestamp()),
            "older lists prove nothing",
        ),
        None => page.row("good until", "not stated", "a verifier refuses such a list"),
    }
    page.row(
        "revoked",
        list.iter_revoked_certificates().count(),
        "certificates named",
    );
}

fn moment(seconds: i64) -> String {
    Time(seconds).to_string()
}
