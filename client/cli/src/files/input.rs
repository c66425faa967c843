//! Files, read no further than what they can hold is long.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    policy::PolicyError,
    release::{MAX_ENVELOPE, MAX_STATEMENTS},
};
use chrysalis_image::publish;
use chrysalis_verifier::{MAX_EVIDENCE, MAX_FILES, MAX_POLICY, Place, public_key};

/// A file's bytes; `-` is stdin.
pub(crate) fn read(path: &Path, limit: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = limit as u64 + 1;
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(most).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() > limit {
        bail!("{} has more than {limit} bytes", path.display());
    }
    // Reading doubles the room as it goes, and many files are kept at once.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// A file that must look as if it belonged to this place, or like nothing that is known. Hex and base64 text come as what they stand for.
pub(super) fn read_for(place: Place, path: &Path, limit: usize) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path, limit)?;
    Ok(place.take(&path.display().to_string(), &bytes)?)
}

/// As [`read_for`], for evidence that may be left out.
pub(super) fn read_if(place: Place, path: Option<&PathBuf>) -> anyhow::Result<Option<Vec<u8>>> {
    path.map(|path| read_for(place, path, MAX_EVIDENCE))
        .transpose()
}

/// As [`read_for`], for an option that may be repeated.
pub(super) fn read_all(place: Place, paths: &[impl AsRef<Path>]) -> anyhow::Result<Vec<Vec<u8>>> {
    if paths.len() > MAX_FILES {
        bail!(
            "{} files are more than {MAX_FILES}: give {} once",
            paths.len(),
            place.wanted
        );
    }
    paths
        .iter()
        .map(|path| read_for(place, path.as_ref(), MAX_EVIDENCE))
        .collect()
}

/// What rebuilders signed.
pub(crate) fn read_statements(paths: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    if paths.len() > MAX_STATEMENTS {
        bail!(
            "{} statements are more than {MAX_STATEMENTS}: bring those of the policy's rebuilders",
            paths.len()
        );
    }
    paths.iter().map(|path| read(path, MAX_ENVELOPE)).collect()
}

/// DER `SubjectPublicKeyInfo` of a peer, from a file with it or with a certificate of it, DER or PEM.
pub(crate) fn read_key(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path, MAX_EVIDENCE)?;
    public_key(&bytes).with_context(|| format!("{} is no public key", path.display()))
}

/// Writes a file that is there whole or as it was before.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    publish::write_whole(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// A policy's text.
pub(crate) fn read_policy(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path, MAX_POLICY)?)
        .with_context(|| format!("the policy {} is not text", path.display()))
}

/// What was read of a policy's text.
pub(crate) fn usable<T>(path: &Path, read: Result<T, PolicyError>) -> anyhow::Result<T> {
    read.map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("the policy {} cannot be used", path.display()))
}
