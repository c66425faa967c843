//! An OCSP request: what to POST to NVIDIA's responder, `application/ocsp-request`.

use super::id::{ISSUING, OID_NONCE, OID_SHA384, QUESTIONED};
use crate::{
    Rejection,
    encoding::der::{encode, tag},
    nvidia::certificate::Certificate,
};

/// RFC 9654's recommended length.
pub const NONCE_SIZE: usize = 32;

/// Asks about one certificate, named by its issuer. Both are DER, and neither is verified here.
pub fn question(
    subject: &[u8],
    issuer: &[u8],
    nonce: &[u8; NONCE_SIZE],
) -> Result<Vec<u8>, Rejection> {
    let subject = Certificate::parse(subject, QUESTIONED)?;
    let issuer = Certificate::parse(issuer, ISSUING)?;
    let extension = encode(
        tag::SEQUENCE,
        &[
            &encode(tag::OID, &[OID_NONCE]),
            &encode(tag::OCTET_STRING, &[&encode(tag::OCTET_STRING, &[nonce])]),
        ],
    );
    let extensions = encode(tag::context(2), &[&encode(tag::SEQUENCE, &[&extension])]);
    let request = encode(tag::SEQUENCE, &[&certificate_id(&subject, &issuer)]);
    let list = encode(tag::SEQUENCE, &[&request]);
    Ok(encode(
        tag::SEQUENCE,
        &[&encode(tag::SEQUENCE, &[&list, &extensions])],
    ))
}

/// `CertID`, with SHA-384.
pub(super) fn certificate_id(subject: &Certificate, issuer: &Certificate) -> Vec<u8> {
    let [name, key] = issuer.digests();
    encode(
        tag::SEQUENCE,
        &[
            &encode(tag::SEQUENCE, &[&encode(tag::OID, &[OID_SHA384])]),
            &encode(tag::OCTET_STRING, &[name]),
            &encode(tag::OCTET_STRING, &[key]),
            &encode(tag::INTEGER, &[subject.serial()]),
        ],
    )
}
