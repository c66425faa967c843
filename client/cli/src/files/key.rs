//! The public key of a peer, from the files that people have of it.

use std::path::Path;

use anyhow::{Context, bail};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, pem::PemObject};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use super::input::{MAX_EVIDENCE, read};

/// That of RSA-8192 is shorter.
const MAX_KEY: usize = 2048;

/// DER `SubjectPublicKeyInfo`, from a file with it or with a certificate of it, DER or PEM.
pub(crate) fn read_key(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path, MAX_EVIDENCE)?;
    key(&bytes).with_context(|| format!("{} is no public key", path.display()))
}

fn key(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let text = bytes.trim_ascii_start();
    let der = if text.starts_with(b"-----BEGIN CERTIFICATE-----") {
        CertificateDer::from_pem_slice(text)?.to_vec()
    } else if text.starts_with(b"-----BEGIN ") {
        SubjectPublicKeyInfoDer::from_pem_slice(text)?.to_vec()
    } else {
        bytes.to_vec()
    };
    let key = match X509Certificate::from_der(&der) {
        Ok(([], certificate)) => certificate.public_key().raw.to_vec(),
        _ => der,
    };
    match SubjectPublicKeyInfo::from_der(&key) {
        Ok(([], _)) if key.len() <= MAX_KEY => Ok(key),
        _ => bail!("bring the peer's certificate or its SubjectPublicKeyInfo, DER or PEM"),
    }
}
