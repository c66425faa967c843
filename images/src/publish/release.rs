//! A release signed: of an image folder, or anew, under a higher epoch and a later end, without a rebuild.

use std::path::{Path, PathBuf};

use chrysalis_attestation::release::{MAX_ENVELOPE, PublicKey, Release, Subject, is_project};

use super::{
    describe::{Shapes, Wanted, describe},
    error::Error,
    files::{read, write},
    key::SigningKey,
    levels::Levels,
    publication::Span,
};

/// What to say of an image.
#[derive(Debug, Clone)]
pub struct Making {
    /// The image folder.
    pub image: PathBuf,
    /// The machines that it is measured for.
    pub shapes: Shapes,
    /// The project, as in its root statement.
    pub project: String,
    /// The release's name; `None`: the image's version.
    pub name: Option<String>,
    /// Counts up from release to release.
    pub epoch: u64,
    /// From when until when it counts.
    pub span: Span,
    /// The lowest firmware levels that are to be accepted.
    pub minimum_tcb: Levels,
}

/// Signs what an image is. Returns the release and how many files it names.
pub fn make(making: Making, key: &SigningKey, out: &Path) -> Result<(Release, usize), Error> {
    if !is_project(&making.project) {
        return Err(Error::Name(making.project));
    }
    if out.exists() {
        return Err(Error::Exists(out.to_owned()));
    }
    let image = describe(&making.image, &Wanted::Shapes(&making.shapes))?;
    let files = image.files.len();
    let release = Release {
        project: Some(making.project),
        release: making.name.unwrap_or_else(|| format!("v{}", image.version)),
        epoch: making.epoch,
        issued: making.span.issued,
        expires: making.span.expires,
        inputs: image.inputs,
        toolchain: image.toolchain,
        measurements: image.measurements,
        minimum_tcb: making.minimum_tcb,
    };
    sign(release.clone(), image.files, key, out)?;
    Ok((release, files))
}

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
    let bytes = read(manifest, MAX_ENVELOPE)?;
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
    sign(release.clone(), old.files().to_vec(), key, out)?;
    Ok((release, before))
}

/// What is signed here must be what verifiers take: better told now than by each of them.
fn sign(release: Release, files: Vec<Subject>, key: &SigningKey, out: &Path) -> Result<(), Error> {
    let (project, issued) = (release.project.clone().unwrap_or_default(), release.issued);
    let sealed = key.seal(release.envelope(files))?;
    Release::verify(sealed.as_bytes(), key.public(), &project, issued, None)
        .map_err(Error::refused(out))?;
    write(out, sealed.as_bytes())
}
