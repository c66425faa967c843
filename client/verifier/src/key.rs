//! The public key of a peer, from the files that people have of it.

use chrysalis_attestation::encoding::pem;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use crate::{Misuse, misuse::misuse};

/// That of RSA-8192 is shorter.
const MAX_KEY: usize = 2048;

/// DER `SubjectPublicKeyInfo`, from a file with it or with a certificate of it, DER or PEM.
pub fn public_key(bytes: &[u8]) -> Result<Vec<u8>, Misuse> {
    let der = if pem::is_pem(bytes) {
        match &pem::blocks(bytes).unwrap_or_default()[..] {
            [block, ..] if [pem::CERTIFICATE, "PUBLIC KEY"].contains(&&*block.label) => {
                block.der.clone()
            }
            _ => misuse!(
                "its PEM does not begin with a certificate or a public key, or has more than blocks"
            ),
        }
    } else {
        bytes.to_vec()
    };
    let key = match X509Certificate::from_der(&der) {
        Ok(([], certificate)) => certificate.public_key().raw.to_vec(),
        _ => der,
    };
    match SubjectPublicKeyInfo::from_der(&key) {
        Ok(([], _)) if key.len() <= MAX_KEY => Ok(key),
        _ => misuse!("bring the peer's certificate or its SubjectPublicKeyInfo, DER or PEM"),
    }
}
