//! Reads pinned packages: Debian's (an ar archive with a tar archive in it) into memory or a folder, Python's (a zip
//! archive) as a stream. The digest was checked before; a package that still does not parse is a wrong pin, and an error, never a panic.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use liblzma::read::XzDecoder;

use crate::Error;

/// Most that one package may unpack to. Debian's cloud kernel takes 110 MB.
const MAX_UNPACKED: u64 = 1 << 30;

/// The files and links of a Debian package, by path without a leading `./`.
pub struct Deb {
    input: String,
    content: Content,
}

/// What a package has.
#[derive(Default)]
struct Content {
    files: BTreeMap<String, Packed>,
    links: BTreeMap<String, String>,
}

/// A regular file of a package.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Whether it is a program.
    pub executable: bool,
    /// Its contents.
    pub bytes: Vec<u8>,
}

impl Deb {
    /// Unpacks a package into memory.
    pub fn read(input: &str, path: &Path) -> Result<Self, Error> {
        Ok(Self {
            input: input.into(),
            content: open(input, path, |data| untar(data))?,
        })
    }

    /// The one file that a pattern names. One `*` in it stands for anything but a `/`.
    pub fn only(&self, pattern: &str) -> Result<(&str, &[u8]), Error> {
        let (path, packed) = self.only_packed(pattern)?;
        Ok((path, &packed.bytes))
    }

    /// The same, and whether it is a program.
    pub fn only_packed(&self, pattern: &str) -> Result<(&str, &Packed), Error> {
        let files = self.content.files.iter();
        let mut found = files.filter(|(path, _)| matches(pattern, path));
        match (found.next(), found.count()) {
            (Some((path, packed)), 0) => Ok((path, packed)),
            (first, more) => Err(Error::NotOneFile {
                input: self.input.clone(),
                pattern: pattern.into(),
                found: usize::from(first.is_some()) + more,
            }),
        }
    }

    /// Every file.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.packed()
            .map(|(path, packed)| (path, packed.bytes.as_slice()))
    }

    /// Every file, and whether it is a program.
    pub fn packed(&self) -> impl Iterator<Item = (&str, &Packed)> {
        let files = self.content.files.iter();
        files.map(|(path, packed)| (path.as_str(), packed))
    }

    /// Every symbolic link and where it points.
    pub fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        let links = self.content.links.iter();
        links.map(|(path, to)| (path.as_str(), to.as_str()))
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

/// Unpacks a package into a folder, as `dpkg-deb --extract` does: no scripts run, and the files are the user's own.
pub fn unpack_into(input: &str, path: &Path, folder: &Path) -> Result<(), Error> {
    open(input, path, |data| {
        tar::Archive::new(data)
            .unpack(folder)
            .map_err(|error| causes(&error))
    })
}

/// The package's archive of files, while it lasts.
fn open<T>(
    input: &str,
    path: &Path,
    take: impl FnOnce(&mut dyn Read) -> Result<T, String>,
) -> Result<T, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    data(BufReader::new(file), take).map_err(|problem| Error::BadPackage {
        input: input.into(),
        problem,
    })
}

fn data<T>(
    package: impl Read,
    take: impl FnOnce(&mut dyn Read) -> Result<T, String>,
) -> Result<T, String> {
    let mut archive = ar::Archive::new(package);
    while let Some(entry) = archive.next_entry() {
        let mut entry = entry.map_err(|error| error.to_string())?;
        match entry.header().identifier() {
            b"data.tar.xz" => return take(&mut XzDecoder::new(entry)),
            b"data.tar" => return take(&mut entry),
            other if other.starts_with(b"data.tar") => {
                return Err(format!(
                    "{} is compressed in a way that this program cannot read",
                    String::from_utf8_lossy(other)
                ));
            }
            _ => {}
        }
    }
    Err("it has no data.tar".into())
}

/// What went wrong and why: tar's own words name only the file.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn untar(reader: impl Read) -> Result<Content, String> {
    let mut content = Content::default();
    // One byte more than allowed, to tell an archive at the limit from one cut off by it.
    let mut archive = tar::Archive::new(reader.take(MAX_UNPACKED + 1));
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let path = path_of(entry.path_bytes())?;
        let kind = entry.header().entry_type();
        if kind.is_symlink() {
            let to = text_of(entry.link_name_bytes().unwrap_or_default())?;
            content.links.insert(path, to);
        } else if kind.is_hard_link() {
            // The same file once more; what it names comes earlier in the archive.
            let to = path_of(entry.link_name_bytes().unwrap_or_default())?;
            let same = content.files.get(&to).cloned();
            let same = same.ok_or_else(|| format!("{path} is a link to nothing"))?;
            content.files.insert(path, same);
        } else if kind.is_file() {
            let mode = entry.header().mode().map_err(|error| error.to_string())?;
            let mut bytes = Vec::new();
            entry
                .read_to_end(&mut bytes)
                .map_err(|error| error.to_string())?;
            if bytes.len() as u64 != entry.size() {
                return Err(format!("{path} ends early"));
            }
            let executable = mode & 0o111 != 0;
            content.files.insert(path, Packed { executable, bytes });
        }
    }
    if archive.into_inner().limit() == 0 {
        return Err(format!("it unpacks to more than {MAX_UNPACKED} bytes"));
    }
    Ok(content)
}

fn path_of(bytes: Cow<'_, [u8]>) -> Result<String, String> {
    Ok(text_of(bytes)?.trim_start_matches("./").to_owned())
}

fn text_of(bytes: Cow<'_, [u8]>) -> Result<String, String> {
    String::from_utf8(bytes.into_owned()).map_err(|_| "a path is not UTF-8".into())
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
        let unpack = |bytes: &[u8]| data(bytes, |data| untar(data));
        assert_eq!(unpack(b"!<arch>\n").err().unwrap(), "it has no data.tar");
        assert!(unpack(b"").is_err());
        assert!(unpack(b"not an archive at all").is_err());
    }
}
