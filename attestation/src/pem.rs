//! Certificates as people keep them: DER, or PEM with one or several.

use x509_parser::pem::Pem;

use crate::{Rejection, x509};

/// Reads a DER certificate, or every certificate of a PEM text, as DER.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    let malformed = || Rejection::CertificateMalformed {
        which: "a certificate",
    };
    if x509::certificate(bytes).is_ok() {
        return Ok(vec![bytes.to_vec()]);
    }
    let mut found = Vec::new();
    for block in Pem::iter_from_buffer(bytes) {
        let block = block.map_err(|_| malformed())?;
        if block.label == "CERTIFICATE" {
            x509::certificate(&block.contents)?;
            found.push(block.contents);
        }
    }
    if found.is_empty() {
        Err(malformed())
    } else {
        Ok(found)
    }
}
