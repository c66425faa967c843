//! A release renewed: the same image under a new epoch and a new end, without a rebuild.

use std::{fs, path::Path};

use chrysalis_attestation::release::{MAX_ENVELOPE, PublicKey, Release};

use super::{Error, SigningKey, Span, publication::write};

/// What is new about a release.
#[derive(Debug, Clone)]
pub struct Renewal<'a> {
    /// Higher than before.
    pub epoch: u64,
    /// From when until when it counts.
    pub span: Span,
    /// The project, for a manifest of the first type, which names none.
    pub project: &'a str,
}

/// Signs the manifest anew, once it shows the signature of the key that signed it before. Returns the release and how it was.
pub fn renew(
    manifest: &Path,
    signed_by: &PublicKey,
    renewal: &Renewal<'_>,
    key: &SigningKey,
    out: &Path,
) -> Result<(Release, Release), Error> {
    if out.exists() {
        return Err(Error::Exists(out.to_owned()));
    }
    let length = fs::metadata(manifest)
        .map_err(Error::io("read", manifest))?
        .len();
    let bytes = match length {
        length if length > MAX_ENVELOPE as u64 => Vec::new(),
        _ => fs::read(manifest).map_err(Error::io("read", manifest))?,
    };
    let old = Release::signed(&bytes, signed_by).map_err(Error::refused(manifest))?;
    let before = old.release().clone();
    if renewal.epoch <= before.epoch {
        return Err(Error::Epoch {
            found: renewal.epoch,
            before: before.epoch,
        });
    }
    let project = before.project.clone();
    let release = Release {
        project: Some(project.unwrap_or_else(|| renewal.project.to_owned())),
        epoch: renewal.epoch,
        issued: renewal.span.issued,
        expires: renewal.span.expires,
        ..before.clone()
    };
    let sealed = key.seal(release.clone().envelope(old.files().to_vec()))?;
    // What is signed here must be what verifiers take: better told now than by each of them.
    Release::signed(sealed.as_bytes(), key.public()).map_err(Error::refused(out))?;
    write(out, &sealed)?;
    Ok((release, before))
}
