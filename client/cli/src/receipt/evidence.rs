//! The evidence that a receipt names: in its file, in a file that was named, or in the folder where the proxy kept both.

use std::path::Path;

use anyhow::{Context, bail};
use chrysalis_client::proxy::evidence_path;
use chrysalis_settle::{EpochEvidence, Kept, MAX_KEPT};

use crate::files::read;

/// Finds it. What it says is not verified here.
pub(super) fn of(
    kept: &Kept,
    receipt: &Path,
    named: Option<&Path>,
) -> anyhow::Result<EpochEvidence> {
    let path = match (named, &kept.evidence) {
        (Some(path), _) => path.to_owned(),
        (None, Some(evidence)) => return Ok(evidence.clone()),
        (None, None) => {
            let folder = receipt.parent().unwrap_or(Path::new("."));
            let path = evidence_path(folder, &kept.job().evidence);
            if !path.exists() {
                bail!(
                    "the evidence that this receipt names is not beside it, as {}\nhint: name it with --evidence FILE",
                    path.display()
                );
            }
            path
        }
    };
    let bytes = read(&path, MAX_KEPT)?;
    EpochEvidence::decode(&bytes)
        .with_context(|| format!("{} cannot be used as --evidence", path.display()))
}
