//! A log as static files. Whoever serves them, or writes them, is believed in nothing: readers hold them to the log's key.
//!
//! ```text
//! checkpoint                      the newest head, signed
//! entries/000000                  every entry, as it was added
//! proofs/<leaf hash>.tlog-proof   that an entry is under the newest head
//! consistency/<size>              that the newest tree begins with what the tree of that size had
//! ```

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use chrysalis_attestation::release::{MAX_ENVELOPE, MAX_TEXT, leaf_hash};

use crate::files::{read, write_whole};

/// The most entries: a release a week for a thousand years. Each addition rewrites every proof.
const MAX_ENTRIES: usize = 50_000;

/// The folder of a log.
pub(super) struct Folder<'a>(pub(super) &'a Path);

impl Folder<'_> {
    fn checkpoint_path(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    fn entry_path(&self, number: usize) -> PathBuf {
        self.0.join("entries").join(format!("{number:06}"))
    }

    fn proof_path(&self, entry: &[u8]) -> PathBuf {
        let name = format!("{}.tlog-proof", hex::encode(leaf_hash(entry)));
        self.0.join("proofs").join(name)
    }

    fn growth_path(&self, from: u64) -> PathBuf {
        self.0.join("consistency").join(from.to_string())
    }

    /// The newest head; none of a log that is yet to begin.
    pub(super) fn checkpoint(&self) -> anyhow::Result<Option<Vec<u8>>> {
        if_there(&self.checkpoint_path(), MAX_TEXT)
    }

    /// Every entry.
    pub(super) fn entries(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut entries = Vec::new();
        while let Some(entry) = if_there(&self.entry_path(entries.len()), MAX_ENVELOPE)? {
            entries.push(entry);
            if entries.len() > MAX_ENTRIES {
                bail!("the log has more than {MAX_ENTRIES} entries; begin another");
            }
        }
        Ok(entries)
    }

    /// The proof of an entry, which must have one.
    pub(super) fn proof(&self, entry: &[u8]) -> anyhow::Result<Vec<u8>> {
        let path = self.proof_path(entry);
        if_there(&path, MAX_TEXT)?.with_context(|| {
            format!(
                "{} is not there; the log may not have this file, byte for byte",
                path.display()
            )
        })
    }

    /// How the log grew from this size on.
    pub(super) fn growth(&self, from: u64) -> anyhow::Result<Option<Vec<u8>>> {
        if_there(&self.growth_path(from), MAX_TEXT)
    }

    /// Adds an entry.
    pub(super) fn write_entry(&self, number: usize, entry: &[u8]) -> anyhow::Result<()> {
        write_below(&self.entry_path(number), entry)
    }

    /// Writes the proof of an entry anew.
    pub(super) fn write_proof(&self, entry: &[u8], proof: &str) -> anyhow::Result<()> {
        write_below(&self.proof_path(entry), proof.as_bytes())
    }

    /// Writes a consistency proof anew.
    pub(super) fn write_growth(&self, from: u64, proof: &str) -> anyhow::Result<()> {
        write_below(&self.growth_path(from), proof.as_bytes())
    }

    /// Puts a new head in place.
    pub(super) fn write_checkpoint(&self, note: &str) -> anyhow::Result<()> {
        write_below(&self.checkpoint_path(), note.as_bytes())
    }
}

fn if_there(path: &Path, limit: usize) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => read(path, limit).map(Some),
    }
}

fn write_below(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
    }
    write_whole(path, bytes)
}
