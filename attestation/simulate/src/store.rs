//! The folder that keeps the simulated AMD between runs: three private keys and the two permanent certificates.
//!
//! Complete or absent: it is made next to its place under a lock and renamed into it, so an interrupted run leaves nothing
//! behind that counts, and of two that start together the second waits and finds the first one's keys.

use crate::{
    SimulateError, line,
    signing::{CertificateKey, Keys},
};
use chrysalis_attestation::encoding::pem;
use der::pem::LineEnding;
use p384::{
    ecdsa,
    pkcs8::{DecodePrivateKey, EncodePrivateKey},
};
use std::{
    ffi::OsString,
    fs::{DirBuilder, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const ARK_KEY: &str = "ark.key.pem";
const ASK_KEY: &str = "ask.key.pem";
const VCEK_KEY: &str = "vcek.key.pem";
const ARK: &str = "ark.pem";
const ASK: &str = "ask.pem";
const README: &str = "README";

const README_TEXT: &str = "\
Keys and certificates of a SIMULATED processor vendor. They are not AMD's and prove nothing about hardware.
Anyone who reads the keys can sign any report. A policy accepts them only if it names the SHA-256 of ark.pem's DER.
Remove this folder to have a new vendor made on the next start.
";

/// What stays the same from run to run.
pub(crate) struct Kept {
    pub(crate) keys: Keys,
    /// DER.
    pub(crate) ark: Vec<u8>,
    /// DER.
    pub(crate) ask: Vec<u8>,
}

/// Reads the folder, or has `make` fill a new one.
pub(crate) fn open_or_create(
    folder: &Path,
    make: impl FnOnce() -> Result<Kept, SimulateError>,
) -> Result<Kept, SimulateError> {
    let _lock = lock(folder)?;
    if !folder.join(ARK).exists() {
        let kept = make()?;
        let vcek_key = kept
            .keys
            .vcek
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(SimulateError::encoding("private key"))?;
        create(
            folder,
            &[
                (ARK_KEY, kept.keys.ark.to_pem()?),
                (ASK_KEY, kept.keys.ask.to_pem()?),
                (VCEK_KEY, vcek_key.to_string()),
                (ARK, pem::block(pem::CERTIFICATE, &kept.ark)),
                (ASK, pem::block(pem::CERTIFICATE, &kept.ask)),
                (README, README_TEXT.to_owned()),
            ],
        )?;
    }
    open(folder)
}

/// Waits until no other process is making this folder. The lock is held until dropped; the kernel releases it if the process dies.
pub(crate) fn lock(folder: &Path) -> Result<File, SimulateError> {
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)
            .map_err(SimulateError::disk("making the folder", parent))?;
    }
    let lock_path = beside(folder, ".lock");
    let lock = open_private(
        &lock_path,
        OpenOptions::new().write(true).create(true).truncate(false),
    )
    .map_err(SimulateError::disk("opening", &lock_path))?;
    lock.lock()
        .map_err(SimulateError::disk("locking", &lock_path))?;
    Ok(lock)
}

/// Makes the folder with these files in it, name and text, readable only by its owner.
pub(crate) fn create(folder: &Path, files: &[(&str, String)]) -> Result<(), SimulateError> {
    let draft = beside(folder, ".new");
    match std::fs::remove_dir_all(&draft) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            let refused = SimulateError::disk("removing the unfinished", &draft);
            return Err(refused(source));
        }
        _ => {}
    }
    DirBuilder::new()
        .mode(0o700)
        .create(&draft)
        .map_err(SimulateError::disk("making the folder", &draft))?;
    for (name, text) in files {
        let path = draft.join(name);
        open_private(&path, OpenOptions::new().write(true).create_new(true))
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .map_err(SimulateError::disk("writing", &path))?;
    }
    std::fs::rename(&draft, folder).map_err(SimulateError::disk("moving the new keys to", folder))
}

fn open(folder: &Path) -> Result<Kept, SimulateError> {
    let authority = |who, name| {
        parse(folder, name, "private key", |text| {
            CertificateKey::from_pem(who, text)
        })
    };
    Ok(Kept {
        keys: Keys {
            line: &line::GENOA,
            ark: authority("ARK", ARK_KEY)?,
            ask: authority("ASK", ASK_KEY)?,
            vcek: parse(folder, VCEK_KEY, "private key", |text| {
                ecdsa::SigningKey::from_pkcs8_pem(text).ok()
            })?,
        },
        ark: parse(folder, ARK, "certificate", certificate)?,
        ask: parse(folder, ASK, "certificate", certificate)?,
    })
}

fn parse<T>(
    folder: &Path,
    name: &str,
    what: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SimulateError> {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).map_err(SimulateError::disk("reading", &path))?;
    parse(&text).ok_or(SimulateError::Damaged { path, what })
}

fn certificate(text: &str) -> Option<Vec<u8>> {
    let [der] = <[_; 1]>::try_from(pem::labelled(pem::CERTIFICATE, text.as_bytes())?).ok()?;
    Some(der)
}

fn open_private(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    options.mode(0o600).open(path)
}

/// The folder's path with something after its last name; a trailing slash is not a name.
fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(folder.components().collect::<PathBuf>());
    path.push(suffix);
    path.into()
}
