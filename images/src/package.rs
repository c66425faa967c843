//! Reads pinned packages: Debian's (an ar archive with a tar archive in it) into memory, Python's (a zip archive) as a
//! stream. The digest was checked before; a package that still does not parse is a wrong pin, and an error, never a panic.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufReader, Read},
    path::Path,
};

use liblzma::read::XzDecoder;

use crate::Error;

/// Most that one package may unpack to. Debian's cloud kernel takes 110 MB.
const MAX_UNPACKED: u64 = 1 << 30;

/// The regular files of a Debian package, by path without a leading `./`.
pub struct Deb {
    input: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Deb {
    /// Unpacks a package into memory.
    pub fn read(input: &str, path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let files = unpack(&bytes).map_err(|problem| Error::BadPackage {
            input: input.into(),
            problem,
        })?;
        Ok(Self {
            input: input.into(),
            files,
        })
    }

    /// The one file that a pattern names. One `*` in it stands for anything but a `/`.
    pub fn only(&self, pattern: &str) -> Result<(&str, &[u8]), Error> {
        let mut found = self.files.iter().filter(|(path, _)| matches(pattern, path));
        match (found.next(), found.count()) {
            (Some((path, bytes)), 0) => Ok((path, bytes)),
            (first, more) => Err(Error::NotOneFile {
                input: self.input.clone(),
                pattern: pattern.into(),
                found: usize::from(first.is_some()) + more,
            }),
        }
    }

    /// Every file.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((head, tail)) => path
            .strip_prefix(head)
            .and_then(|rest| rest.strip_suffix(tail))
            .is_some_and(|middle| !middle.contains('/')),
    }
}

/// Unpacks a Debian package into a folder, links and all. Runs none of its scripts.
pub fn unpack_into(input: &str, path: &Path, folder: &Path) -> Result<(), Error> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let unpacked = data_of(&bytes, |data| {
        let mut archive = tar::Archive::new(data.take(MAX_UNPACKED));
        archive
            .unpack(folder)
            .map_err(|error| format!("{error}: {}", cause(&error)))
    });
    unpacked.map_err(|problem| Error::BadPackage {
        input: input.into(),
        problem,
    })
}

/// What an error of the tar library keeps behind its words.
fn cause(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(std::error::Error::source);
    inner.map(ToString::to_string).unwrap_or_default()
}

fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    data_of(bytes, untar)
}

/// Hands over the archive of a package's files.
fn data_of<T>(
    bytes: &[u8],
    take: impl FnOnce(&mut dyn Read) -> Result<T, String>,
) -> Result<T, String> {
    let mut archive = ar::Archive::new(bytes);
    while let Some(entry) = archive.next_entry() {
        let mut entry = entry.map_err(|error| error.to_string())?;
        match entry.header().identifier() {
            b"data.tar.xz" => return take(&mut XzDecoder::new(entry)),
            b"data.tar" => return take(&mut entry),
            other if other.starts_with(b"data.tar") => {
                return Err(format!(
                    "{} is of a compression this program lacks",
                    String::from_utf8_lossy(other)
                ));
            }
            _ => {}
        }
    }
    Err("it has no data.tar".into())
}

fn untar(reader: &mut dyn Read) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut files = BTreeMap::new();
    // One byte more than allowed, to tell an archive at the limit from one cut off by it.
    let mut archive = tar::Archive::new(reader.take(MAX_UNPACKED + 1));
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| "a path is not UTF-8")?;
        let mut bytes = Vec::new();
        entry
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        if bytes.len() as u64 != entry.size() {
            return Err(format!("{path} ends early"));
        }
        files.insert(path.trim_start_matches("./").to_owned(), bytes);
    }
    if archive.into_inner().limit() == 0 {
        return Err(format!("it unpacks to more than {MAX_UNPACKED} bytes"));
    }
    Ok(files)
}

/// Reads one file of a wheel as a stream, with its length.
pub fn read_from_wheel<T>(
    input: &str,
    path: &Path,
    file: &str,
    take: impl FnOnce(u64, &mut dyn Read) -> Result<T, Error>,
) -> Result<T, Error> {
    let bad = |error: zip::result::ZipError| Error::BadPackage {
        input: input.into(),
        problem: error.to_string(),
    };
    let opened = File::open(path).map_err(Error::io("read", path))?;
    let mut archive = zip::ZipArchive::new(BufReader::new(opened)).map_err(bad)?;
    let mut entry = archive.by_name(file).map_err(|error| match error {
        zip::result::ZipError::FileNotFound => Error::NotOneFile {
            input: input.into(),
            pattern: file.into(),
            found: 0,
        },
        other => bad(other),
    })?;
    take(entry.size(), &mut entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_path_component() {
        assert!(matches("boot/vmlinuz-*", "boot/vmlinuz-6.12"));
        assert!(!matches("boot/vmlinuz-*", "boot/vmlinuz-6.12/x"));
        assert!(!matches("boot/vmlinuz-*", "boot/config-6.12"));
        assert!(matches("a/b", "a/b"));
    }

    #[test]
    fn refuses_what_is_no_package() {
        assert_eq!(unpack(b"!<arch>\n").unwrap_err(), "it has no data.tar");
        assert!(unpack(b"").is_err());
        assert!(unpack(b"not an archive at all").is_err());
    }
}
