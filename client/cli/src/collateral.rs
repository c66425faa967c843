//! Certificates and revocation lists from a folder. They are untrusted transport: each is signed by its vendor.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use chrysalis_attestation::Collateral;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject};

/// The most bytes of one file; AMD's longest list is far shorter.
const MAX_FILE: u64 = 1024 * 1024;

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
    for path in paths {
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        if matches!(ending, "pem" | "der" | "crt" | "cer" | "crl") {
            add(&mut collateral, &path, ending == "crl")
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

fn add(collateral: &mut Collateral, path: &Path, is_list: bool) -> anyhow::Result<()> {
    if fs::metadata(path)?.len() > MAX_FILE {
        bail!("it has more than {MAX_FILE} bytes");
    }
    let bytes = fs::read(path)?;
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
