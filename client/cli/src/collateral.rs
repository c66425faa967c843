//! Certificates and revocation lists from a folder. They are untrusted transport: each is signed by its vendor.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use chrysalis_attestation::Collateral;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject};

use crate::files;

/// The most bytes of one file; AMD's longest list is far shorter.
const MAX_FILE: usize = 1024 * 1024;
/// The most bytes of all files together; what every vendor has published takes less.
const MAX_FOLDER: usize = 16 * 1024 * 1024;

/// Reads every file of a known ending, in the order of their names.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Collateral> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()
        })
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    paths.sort();
    let mut collateral = Collateral::default();
    let mut left = MAX_FOLDER;
    for path in paths {
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        if matches!(ending, "pem" | "der" | "crt" | "cer" | "crl") {
            let bytes = files::read(&path, MAX_FILE)?;
            left = left.checked_sub(bytes.len()).with_context(|| {
                let folder = folder.display();
                format!(
                    "{folder} holds more than {MAX_FOLDER} bytes: leave what this evidence needs"
                )
            })?;
            add(&mut collateral, bytes, ending == "crl")
                .with_context(|| format!("cannot use {}", path.display()))?;
        }
    }
    if collateral.certificates.is_empty() && collateral.crls.is_empty() {
        bail!(
            "{} holds no .pem, .der, .crt, .cer or .crl file",
            folder.display()
        );
    }
    Ok(collateral)
}

fn add(collateral: &mut Collateral, bytes: Vec<u8>, is_list: bool) -> anyhow::Result<()> {
    if !bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        let kind = if is_list {
            &mut collateral.crls
        } else {
            &mut collateral.certificates
        };
        kind.push(bytes);
        return Ok(());
    }
    let before = collateral.certificates.len() + collateral.crls.len();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        collateral.certificates.push(certificate?.to_vec());
    }
    for list in CertificateRevocationListDer::pem_slice_iter(&bytes) {
        collateral.crls.push(list?.to_vec());
    }
    if collateral.certificates.len() + collateral.crls.len() == before {
        bail!("it holds neither a certificate nor a revocation list");
    }
    Ok(())
}
