//! Files, read no further than what they can hold is long.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, bail};

use super::kind::Kind;

/// Reports, certificates, revocation lists, manifests and OCSP answers are far shorter.
pub(super) const MAX_EVIDENCE: usize = 1024 * 1024;
/// JSON around evidence.
pub(super) const MAX_JSON: usize = 4 * 1024 * 1024;
/// A policy with a thousand digests; read as TOML it takes up to a hundred times the room.
const MAX_POLICY: usize = 256 * 1024;
/// The most files of one option: with the limits above, all of them fit into 64 MiB.
pub(super) const MAX_FILES: usize = 16;

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

/// Files that must look like one of `kinds`, or like nothing that is known: those the parsers name.
pub(super) fn read_as(
    path: &Path,
    limit: usize,
    wanted: &str,
    kinds: &[Kind],
) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path, limit)?;
    match Kind::of(&bytes) {
        Kind::Unknown => Ok(bytes),
        kind if kinds.contains(&kind) => Ok(bytes),
        kind => bail!("{} is {kind}, not {wanted}", path.display()),
    }
}

/// As [`read_as`], for an option that may be repeated.
pub(super) fn read_all(
    paths: &[impl AsRef<Path>],
    wanted: &str,
    kinds: &[Kind],
) -> anyhow::Result<Vec<Vec<u8>>> {
    if paths.len() > MAX_FILES {
        bail!(
            "{} files are more than {MAX_FILES}: give {wanted} once",
            paths.len()
        );
    }
    paths
        .iter()
        .map(|path| read_as(path.as_ref(), MAX_EVIDENCE, wanted, kinds))
        .collect()
}

/// A policy's text.
pub(crate) fn read_policy(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path, MAX_POLICY)?)
        .with_context(|| format!("the policy {} is not text", path.display()))
}
