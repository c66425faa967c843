//! The folder that is served: names below it, and files that are there whole or as they were before.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use chrysalis_image::publish::write_whole;

#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(super) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(name))
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.0.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        write_whole(&path, bytes)
    }

    pub(crate) fn write_if_other(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match fs::read(self.0.join(name)) {
            Ok(found) if found == bytes => Ok(()),
            _ => self.write(name, bytes),
        }
    }

    /// What is in a folder of it; nothing where it is not there.
    pub(super) fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.0.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.map(|entry| {
            let name = entry?.file_name();
            Ok(name.to_string_lossy().into_owned())
        });
        names.collect()
    }

    pub(super) fn remove_if(&self, folder: &str, is_old: impl Fn(&str) -> bool) -> io::Result<()> {
        for name in self.names(folder)?.iter().filter(|name| is_old(name)) {
            fs::remove_file(self.0.join(folder).join(name))?;
        }
        Ok(())
    }
}
