//! A release endorsed for a few days more: the same image, by the key that may sign releases now, without a rebuild.

use std::path::Path;

use chrysalis_attestation::release::{Endorsement, MAX_ENVELOPE, PublicKey, Release};

use super::{
    error::Error,
    files::{read, write},
    key::SigningKey,
    publication::Span,
};

/// Endorses what a manifest says, once it shows the signature of the key that signed it. `project` is for a manifest of the first
/// type, which names none. What was at `out` before is replaced: only the newest counts.
pub fn endorse(
    manifest: &Path,
    signed_by: &PublicKey,
    (span, project): (Span, &str),
    key: &SigningKey,
    out: &Path,
) -> Result<Endorsement, Error> {
    let bytes = read(manifest, MAX_ENVELOPE)?;
    let signed = Release::signed(&bytes, signed_by).map_err(Error::refused(manifest))?;
    let release = signed.release();
    let project = release.project.as_deref().unwrap_or(project);
    let endorsement = Endorsement {
        project: project.to_owned(),
        release: release.release.clone(),
        epoch: release.epoch,
        issued: span.issued,
        until: span.expires,
        measurements: release.measurements.clone(),
    };
    if span.expires > release.expires {
        return Err(Error::Outlives {
            path: manifest.to_owned(),
            until: release.expires,
        });
    }
    let sealed = key.seal(endorsement.clone().envelope(signed.files().to_vec()))?;
    Endorsement::verify(sealed.as_bytes(), key.public()).map_err(Error::refused(out))?;
    write(out, sealed.as_bytes())?;
    Ok(endorsement)
}
