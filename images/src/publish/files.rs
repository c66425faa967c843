//! Files, read no further than what they can hold is long, and written whole or not at all.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::Path,
};

use super::error::Error;
use crate::files::{folder_of, temporary_file};

/// A file's bytes.
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
        .map_err(Error::io("read", path))?;
    if bytes.len() > limit {
        return Err(Error::unfit(path, format!("has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// A file's bytes, where it is there.
pub(super) fn if_there(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, Error> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => read(path, limit).map(Some),
    }
}

/// Writes a file, and the folder around it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    write_whole(path, bytes).map_err(Error::io("write", path))
}

/// Writes a file that is there whole or as it was before. Its folder must exist.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary_file(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
