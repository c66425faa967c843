//! Files for an archive, each with what the manifest says of it.

use super::cpio::Archive;
use crate::{
    Error,
    manifest::{File, Origin},
};

/// Files, as they are packed and as they are described.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) archive: Archive,
    /// In the order in which they were added.
    pub(super) files: Vec<File>,
}

impl Contents {
    pub(super) fn add(
        &mut self,
        path: &str,
        mode: u32,
        bytes: Vec<u8>,
        origin: Origin,
    ) -> Result<(), Error> {
        let mut file = File::of(path, &bytes, origin);
        file.mode = Some(format!("{mode:04o}"));
        self.files.push(file);
        self.archive.file(path, mode, bytes)
    }
}
