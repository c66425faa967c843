//! What bears on evidence, from a folder: a store of `chrysalis fetch`, or certificates and revocation lists that somebody
//! put together; and from NVIDIA's responder, where a policy wants that. All of it is untrusted transport: each object is signed by its vendor.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    Collateral, Rejection,
    nvidia::{self, GpuEvidence},
    tdx,
};
use chrysalis_client::{Ask, Bring};
use chrysalis_collateral::{Responder, Store, StoreError, System};
use chrysalis_verifier::add_file;

use crate::{files, options::Asking, printable::printable};

/// The most bytes of one file; AMD's longest list is far shorter.
const MAX_FILE: usize = 1024 * 1024;
/// The most bytes of all files together; what every vendor has published takes less.
const MAX_FOLDER: usize = 16 * 1024 * 1024;

/// Finds what bears on each piece of evidence; nothing without a folder.
pub(crate) fn from(folder: Option<&Path>) -> anyhow::Result<Bring> {
    let Some(folder) = folder else {
        return Ok(Arc::new(|_| Collateral::default()));
    };
    if !Store::is_at(folder) {
        let collateral = read(folder)?;
        return Ok(Arc::new(move |_| collateral.clone()));
    }
    let store = open(folder)?;
    Ok(Arc::new(move |evidence| {
        store.for_bundle(evidence).unwrap_or_else(|error| {
            // The verdict goes on without it, and says what is missing.
            eprintln!("collateral: {}", printable(&format!("{:#}", told(&error))));
            Collateral::default()
        })
    }))
}

/// Asks NVIDIA's responder, where a policy wants that. Nothing is asked before there is something to ask.
pub(crate) fn asking(asking: &Asking) -> Ask {
    let mirrors = asking.mirror.clone().unwrap_or_default();
    let responder = Responder::new(mirrors, Box::new(System::new()), Responder::LIMITS);
    Arc::new(move |about| responder.ask(about).map_err(|error| error.to_string()))
}

/// Adds what a store has for a report.
pub(crate) fn add_for_report(
    collateral: &mut Collateral,
    folder: &Path,
    report: &[u8],
) -> anyhow::Result<()> {
    match open(folder)?.for_report(report, &collateral.certificates) {
        Ok(found) => {
            collateral.certificates.extend(found.certificates);
            collateral.crls.extend(found.crls);
            Ok(())
        }
        tolerated => unless_unreadable(tolerated),
    }
}

/// Adds what a store has for GPUs.
pub(crate) fn add_for_gpus(
    collateral: &mut nvidia::GpuCollateral,
    folder: &Path,
    gpus: &[GpuEvidence],
) -> anyhow::Result<()> {
    match open(folder)?.for_gpus(gpus) {
        Ok(found) => {
            collateral.rims.extend(found.rims);
            collateral.ocsp.extend(found.ocsp);
            Ok(())
        }
        tolerated => unless_unreadable(tolerated),
    }
}

/// What a store has for a TD's quote. All of it must be there: without any part of it nothing can be said of the platform.
pub(crate) fn for_quote(
    folder: &Path,
    quote: &[u8],
) -> anyhow::Result<Result<tdx::IntelCollateral, Rejection>> {
    match open(folder)?.for_quote(quote) {
        Ok(found) => Ok(Ok(found)),
        Err(StoreError::Evidence { rejection }) => Ok(Err(*rejection)),
        Err(lacking @ StoreError::Lacks(_)) => {
            eprintln!(
                "collateral: {}",
                printable(&format!("{:#}", told(&lacking)))
            );
            Ok(Err(Rejection::TdxCollateralMissing))
        }
        Err(error) => Err(told(&error)),
    }
}

/// Evidence that cannot be read is the verifier's to refuse, by name.
fn unless_unreadable<T>(found: Result<T, StoreError>) -> anyhow::Result<()> {
    match found {
        Ok(_) | Err(StoreError::Evidence { .. }) => Ok(()),
        Err(error) => Err(told(&error)),
    }
}

/// A store whose index can be read.
fn open(folder: &Path) -> anyhow::Result<Store> {
    let store = Store::open(folder).map_err(|error| told(&error))?;
    store.entries().map_err(|error| told(&error))?;
    Ok(store)
}

/// Reads every file of a known ending, in the order of their names.
fn read(folder: &Path) -> anyhow::Result<Collateral> {
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
            add_file(&mut collateral, bytes, ending == "crl")
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

/// A store's error, with what to do next.
pub(crate) fn told(error: &StoreError) -> anyhow::Error {
    anyhow!("{error}\nhint: {}", error.hint())
}
