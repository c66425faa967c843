//! Where receipts are kept: one file for each job, and the evidence of each epoch once, by its digest. Only their owner can read them.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use chrysalis_settle::Kept;

use crate::Epoch;

/// What the file of a receipt ends in.
pub const RECEIPT_ENDING: &str = "receipt";
/// What the file of an epoch's evidence ends in.
pub const EVIDENCE_ENDING: &str = "evidence";
/// How many jobs may share a number, which only programs that name jobs themselves can bring about.
const MAX_SAME: u32 = 100;

/// A folder for receipts.
#[derive(Debug, Clone)]
pub struct ReceiptFolder(PathBuf);

impl ReceiptFolder {
    /// Opens a folder, or makes it.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if fs::metadata(&path)?.is_dir() {
            Ok(Self(path))
        } else {
            Err(ErrorKind::NotADirectory.into())
        }
    }

    /// Keeps a receipt, and the evidence that it names unless that is there already.
    pub(super) fn keep(&self, kept: &Kept, epoch: &Epoch) -> io::Result<()> {
        let evidence = evidence_path(&self.0, &kept.job().evidence);
        if !evidence.exists() {
            self.write(&evidence, &epoch.evidence().encode())?;
        }
        let number = hex::encode(kept.job().job);
        for same in 0..MAX_SAME {
            let name = match same {
                0 => format!("{number}.{RECEIPT_ENDING}"),
                _ => format!("{number}-{same}.{RECEIPT_ENDING}"),
            };
            match self.write(&self.0.join(name), &kept.encode()) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                outcome => return outcome,
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    /// Writes a file that is there whole or not at all, and was not there before.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = self.0.join(format!(".{name}.{}", std::process::id()));
        let written = new_file(&unfinished)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::hard_link(&unfinished, path));
        let _ = fs::remove_file(&unfinished);
        written
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Where the evidence with this digest is, in a folder of receipts.
pub fn evidence_path(folder: &Path, digest: &[u8; 32]) -> PathBuf {
    folder.join(format!("{}.{EVIDENCE_ENDING}", hex::encode(digest)))
}
