//! Files as this program reads and makes them: TOML in, and folders that are there whole or not at all.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use tempfile::{NamedTempFile, TempDir};

use crate::Error;

/// Reads a recipe, a lock, or another file of TOML.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    toml::from_str(&text).map_err(|problem| Error::Malformed {
        path: path.to_owned(),
        problem: Box::new(problem),
    })
}

/// The folder around a path.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The last part of a path.
pub(crate) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// A folder in the folder of its destination, so that a rename is enough; gone with its contents when dropped.
pub(crate) fn temporary_in(folder: &Path) -> Result<TempDir, Error> {
    tempfile::Builder::new()
        .prefix(".partial-")
        .tempdir_in(folder)
        .map_err(Error::io("write to", folder))
}

/// A file that all may read once it has its name, and that is gone when dropped before.
pub(crate) fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".chrysalis-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)
}

/// Makes a folder of the cache, unless it is there already: `make` fills a temporary one and says which folder in it to keep.
pub(crate) fn make_once(
    place: &Path,
    make: impl FnOnce(&Path) -> Result<PathBuf, Error>,
) -> Result<(), Error> {
    if place.exists() {
        return Ok(());
    }
    let cache = place.parent().unwrap_or(place);
    fs::create_dir_all(cache).map_err(Error::io("create", cache))?;
    let temporary = temporary_in(cache)?;
    match fs::rename(make(temporary.path())?, place) {
        // Another process was faster, with the same result.
        Err(_) if place.exists() => Ok(()),
        result => result.map_err(Error::io("write", place)),
    }
}
