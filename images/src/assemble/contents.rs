//! Files for an archive or a disk, each with what the manifest says of it.

use super::{cpio::Archive, tree::Tree};
use crate::{
    Error,
    manifest::{File, Origin},
};

/// Files, as they are packed and as they are described.
#[derive(Default)]
pub(super) struct Contents<T> {
    pub(super) archive: T,
    /// In the order in which they were added.
    pub(super) files: Vec<File>,
}

/// What files are packed into.
pub(super) trait Pack {
    fn pack(&mut self, path: &str, mode: u32, bytes: Vec<u8>) -> Result<(), Error>;
}

impl Pack for Archive {
    fn pack(&mut self, path: &str, mode: u32, bytes: Vec<u8>) -> Result<(), Error> {
        self.file(path, mode, bytes)
    }
}

impl Pack for Tree {
    fn pack(&mut self, path: &str, mode: u32, bytes: Vec<u8>) -> Result<(), Error> {
        self.file(path, mode, bytes)
    }
}

impl<T: Pack> Contents<T> {
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
        self.archive.pack(path, mode, bytes)
    }
}
