//! A log as static files, to be served as they are. Readers believe neither the server nor the operator: they check all of it with the log's key.
//!
//! ```text
//! checkpoint                      the newest head, signed
//! entries/000000                  every entry, as it was added
//! proofs/<leaf hash>.tlog-proof   that an entry is under the newest head
//! consistency/<size>              that the newest tree begins with what the tree of that size had
//! ```

use std::path::PathBuf;

use chrysalis_attestation::{
    Rejection,
    release::{Checkpoint, Head, MAX_ENVELOPE, MAX_TEXT, PublicKey, leaf_hash},
};

use super::{
    error::Error,
    files::{if_there, read, write},
    key::SigningKey,
    tree::Tree,
};

/// The most entries: a release a week for a thousand years. Each addition rewrites every proof.
const MAX_ENTRIES: usize = 50_000;

/// The folder of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log(PathBuf);

impl Log {
    /// A folder, there or not.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

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
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, Error> {
        if_there(&self.checkpoint_path(), MAX_TEXT)
    }

    /// Every entry.
    fn entries(&self) -> Result<Vec<Vec<u8>>, Error> {
        let mut entries = Vec::new();
        while let Some(entry) = if_there(&self.entry_path(entries.len()), MAX_ENVELOPE)? {
            entries.push(entry);
            if entries.len() > MAX_ENTRIES {
                return Err(Error::unfit(
                    &self.0,
                    format!("has more than {MAX_ENTRIES} entries; begin another log"),
                ));
            }
        }
        Ok(entries)
    }

    /// The proof of an entry, which must have one.
    pub fn proof(&self, entry: &[u8]) -> Result<Vec<u8>, Error> {
        let path = self.proof_path(entry);
        if_there(&path, MAX_TEXT)?.ok_or_else(|| {
            Error::unfit(
                path,
                "is not there; the log may not have this file, byte for byte",
            )
        })
    }

    /// Whether this head, which its key signed, follows the one seen last: by the proof of growth in the folder.
    pub fn follows(
        &self,
        head: &Checkpoint,
        seen: Option<Head>,
    ) -> Result<Result<(), Rejection>, Error> {
        let Some(seen) = seen else { return Ok(Ok(())) };
        let growth = if_there(&self.growth_path(seen.size), MAX_TEXT)?;
        Ok(seen.grew_into(head, growth.as_deref()))
    }

    /// The newest head, once every entry is found under it.
    pub fn verify(&self, key: &PublicKey) -> Result<Result<Checkpoint, Rejection>, Error> {
        let Some(note) = self.checkpoint()? else {
            return Err(Error::unfit(
                &self.0,
                "has no file `checkpoint`; it is no log's folder",
            ));
        };
        let entries = self.entries()?;
        Ok(Checkpoint::verify(&note, key).and_then(|head| {
            let found = Tree::of(&entries).map(|tree| tree.head(&head.origin));
            if found.as_ref() == Some(&head) {
                Ok(head)
            } else {
                Err(Rejection::LogForked { size: head.size })
            }
        }))
    }

    /// Adds files, and signs the new head, which is returned. Entries first, the head last: a reader finds the old log until all of
    /// the new one is there.
    pub fn append(
        &self,
        files: &[PathBuf],
        origin: &str,
        key: &SigningKey,
    ) -> Result<String, Error> {
        let mut entries = self.signed_entries(origin, key.public())?;
        let before = entries.len();
        for path in files {
            let entry = read(path, MAX_ENVELOPE)?;
            if entries.contains(&entry) {
                return Err(Error::unfit(path, "is in the log already; leave it out"));
            }
            entries.push(entry);
        }
        let Some(tree) = Tree::of(&entries) else {
            return Err(Error::unfit(&self.0, "gets nothing to add; name a file"));
        };
        let head = tree.head(origin);
        let signature = key.sign(head.to_be_signed().as_bytes())?;
        let note = head.note(key.public(), &signature).ok_or_else(|| {
            Error::unfit(
                key.path(),
                "cannot sign this log: a log signs with an Ed25519 key under a name without white space and `+`; check --key and --origin",
            )
        })?;
        for (number, entry) in entries.iter().enumerate().skip(before) {
            write(&self.entry_path(number), entry)?;
        }
        for (entry, proof) in tree.inclusions(&note) {
            write(&self.proof_path(entry), proof.to_text().as_bytes())?;
        }
        for growth in tree.growths(&note) {
            write(&self.growth_path(growth.old), growth.to_text().as_bytes())?;
        }
        write(&self.checkpoint_path(), note.as_bytes())?;
        Ok(note)
    }

    /// What was once signed must stay; entries beyond it are left from an addition that did not end.
    fn signed_entries(&self, origin: &str, key: &PublicKey) -> Result<Vec<Vec<u8>>, Error> {
        let mut entries = self.entries()?;
        let Some(note) = self.checkpoint()? else {
            if entries.is_empty() {
                return Ok(entries);
            }
            return Err(Error::unfit(
                &self.0,
                "has entries but no checkpoint; restore it, or begin in an empty folder",
            ));
        };
        let old = Checkpoint::verify(&note, key).map_err(Error::refused(self.checkpoint_path()))?;
        let size = usize::try_from(old.size).unwrap_or(usize::MAX);
        let signed = entries.get(..size).and_then(Tree::of);
        if signed.map(|tree| tree.head(origin)) != Some(old) {
            return Err(Error::unfit(
                &self.0,
                "has other entries, or another --origin, than its checkpoint; restore them: a log only grows",
            ));
        }
        entries.truncate(size);
        Ok(entries)
    }
}
