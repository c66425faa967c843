//! The directory's log: the release log's format, whose entries are the digests of files. A proof is made once, under the head that its
//! entry came with; from there, `consistency/<size>` leads from each head to the next.

use chrysalis_attestation::{
    encoding::digest::{Hex, sha256},
    release::leaf_hash,
};
use chrysalis_image::publish::Tree;

use super::{
    folder::Folder,
    origin::{Origin, PublishError},
};
use crate::store::{Change, StoreError};

/// The line that `sha256sum` prints of a file.
pub(crate) fn entry(path: &str, file: &[u8]) -> String {
    format!("{}  {path}\n", Hex(sha256(&[file])))
}

/// The file's name in such a line.
pub(super) fn path_of(entry: &str) -> &str {
    entry.trim_end().get(66..).unwrap_or_default()
}

pub(super) struct Log {
    origin: Origin,
    tree: Tree<String>,
    /// The size of the newest head whose files are written.
    written: u64,
    /// Entries that are in the tree and not written yet.
    fresh: Vec<String>,
}

impl Log {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            origin,
            tree: Tree::default(),
            written: 0,
            fresh: Vec::new(),
        }
    }

    /// The key that signs it.
    pub(super) fn key(&self) -> [u8; 32] {
        self.origin
            .key
            .public()
            .ed25519()
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// What is in memory only. All of it is read again.
    pub(super) fn forget(&mut self) {
        self.tree = Tree::default();
        self.written = 0;
        self.fresh.clear();
    }

    /// Adds entries, and a head over all of them.
    pub(super) fn append(
        &mut self,
        change: &mut dyn Change,
        entries: &[String],
    ) -> Result<(), PublishError> {
        for entry in entries {
            change.put_entry(self.tree.size(), entry)?;
            self.push(entry.clone());
        }
        let Origin { name, key } = &self.origin;
        let head = self.tree.head(name);
        let signature = key.sign(head.to_be_signed().as_bytes());
        let signature = signature.map_err(|error| PublishError::Key(error.to_string()))?;
        let note = head.note(key.public(), &signature).ok_or_else(|| {
            PublishError::Key("a log has an Ed25519 key, and a name without white space".to_owned())
        })?;
        change.put_head(self.tree.size(), &note)?;
        Ok(())
    }

    fn push(&mut self, entry: String) {
        self.fresh.push(entry.clone());
        self.tree.push(entry);
    }

    /// Reads on until the tree has this size. The entries that are not written yet come back.
    pub(super) fn read_to(
        &mut self,
        change: &mut dyn Change,
        size: u64,
    ) -> Result<Vec<String>, StoreError> {
        while self.tree.size() < size {
            let before = self.tree.size();
            let entries = change.entries(before)?;
            for entry in entries {
                if self.tree.size() < size {
                    self.push(entry);
                }
            }
            if self.tree.size() == before {
                return Err(StoreError::unreadable("a head without its entries"));
            }
        }
        Ok(self.fresh.clone())
    }

    /// Writes the entries, their proofs, what leads here from the head before, and then the head.
    pub(super) fn write(
        &mut self,
        folder: &Folder,
        size: u64,
        note: &str,
    ) -> Result<(), PublishError> {
        for (number, entry) in (self.written..).zip(&self.fresh) {
            let name = format!("entries/{number:06}");
            if !folder.has(&name) {
                folder.write(&name, entry.as_bytes())?;
            }
            let leaf = Hex(leaf_hash(entry.as_bytes()));
            let name = format!("proofs/{leaf}.tlog-proof");
            if !folder.has(&name)
                && let Some(proof) = self.tree.inclusion(number, note)
            {
                folder.write(&name, proof.to_text().as_bytes())?;
            }
        }
        let name = format!("consistency/{}", self.written);
        if !folder.has(&name)
            && let Some(growth) = self.tree.growth(self.written, note)
        {
            folder.write(&name, growth.to_text().as_bytes())?;
        }
        folder.write_if_other("checkpoint", note.as_bytes())?;
        self.written = size;
        self.fresh.clear();
        Ok(())
    }
}
