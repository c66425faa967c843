//! An output folder that is there whole or not at all: written next to its place, then renamed into it. Modes are set, not
//! left to the user's umask.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{Error, files::folder_of};

/// A folder in the making.
pub struct Folder {
    temporary: TempDir,
    place: PathBuf,
}

impl Folder {
    /// Starts a folder for this place. What is there now is replaced at the end, and only if it has the marker: the file by
    /// which this program recognises its own folders.
    pub fn start(place: &Path, marker: &'static str) -> Result<Self, Error> {
        let is_empty =
            |folder: &Path| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if place.exists() && !place.join(marker).exists() && !is_empty(place) {
            return Err(Error::Occupied {
                folder: place.to_owned(),
                marker,
            });
        }
        let parent = folder_of(place);
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        Ok(Self {
            temporary: temporary_in(parent)?,
            place: place.to_owned(),
        })
    }

    /// Writes one file.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.temporary.path().join(name);
        fs::write(&path, bytes).map_err(Error::io("write", self.place.join(name)))
    }

    /// Opens one file to write to.
    pub fn create(&self, name: &str) -> Result<File, Error> {
        File::create(self.temporary.path().join(name))
            .map_err(Error::io("create", self.place.join(name)))
    }

    /// Puts the folder in its place.
    pub fn finish(self) -> Result<(), Error> {
        let refused = || Error::io("write", &self.place);
        for entry in fs::read_dir(self.temporary.path()).map_err(refused())? {
            let path = entry.map_err(refused())?.path();
            fs::set_permissions(path, Permissions::from_mode(0o644)).map_err(refused())?;
        }
        fs::set_permissions(self.temporary.path(), Permissions::from_mode(0o755))
            .map_err(refused())?;
        // The old folder is moved aside, then removed with the folder that it was moved into.
        let aside = temporary_in(folder_of(&self.place))?;
        if self.place.exists() {
            fs::rename(&self.place, aside.path().join("old")).map_err(refused())?;
        }
        fs::rename(self.temporary.path(), &self.place).map_err(refused())
    }
}

fn temporary_in(parent: &Path) -> Result<TempDir, Error> {
    let builder = tempfile::Builder::new()
        .prefix(".chrysalis-")
        .tempdir_in(parent);
    builder.map_err(Error::io("write to", parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_its_own_and_nothing_else() {
        let top = tempfile::tempdir().unwrap();
        let place = top.path().join("out");
        for text in ["first", "second"] {
            let folder = Folder::start(&place, "mark").unwrap();
            folder.write("mark", text.as_bytes()).unwrap();
            folder.finish().unwrap();
            assert_eq!(fs::read_to_string(place.join("mark")).unwrap(), text);
        }
        fs::rename(place.join("mark"), place.join("precious")).unwrap();
        let error = Folder::start(&place, "mark").err().unwrap();
        assert!(matches!(error, Error::Occupied { marker: "mark", .. }));
        assert!(place.join("precious").exists());
        assert_eq!(
            fs::read_dir(top.path()).unwrap().count(),
            1,
            "temporary folders are left"
        );
    }

    #[test]
    fn leaves_nothing_when_given_up() {
        let top = tempfile::tempdir().unwrap();
        let folder = Folder::start(&top.path().join("out"), "mark").unwrap();
        folder.write("mark", b"half").unwrap();
        drop(folder);
        assert_eq!(fs::read_dir(top.path()).unwrap().count(), 0);
    }
}
