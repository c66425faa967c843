//! Wheels (PEP 427): zip files that are unpacked into an interpreter's folders. Nothing of them runs. Whoever made a wheel is not
//! trusted with a path, a length or a link; what it contains is trusted as far as the pin is.

use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    path::{Path, PathBuf},
    sync::Arc,
};

use zip::{CompressionMethod, ZipArchive, read::ZipFile, result::ZipError};

use super::zipped::Zipped;
use crate::Error;

/// Most that one wheel may unpack to. CUDA's largest takes 1.7 GB.
const MAX_UNPACKED: u64 = 4 << 30;
/// Most files of one wheel. The largest there is, torch, has 12,000.
const MAX_FILES: usize = 200_000;
/// Longest script whose first line may be changed.
const MAX_SCRIPT: u64 = 1 << 26;
/// The folder of a wheel that is spread over others.
const DATA: &str = ".data/";
/// How a script begins that wants an interpreter.
const ANY_PYTHON: &[u8] = b"#!python";

/// Where the parts of a wheel go.
#[derive(Debug, Clone)]
pub struct Places {
    /// Modules.
    pub site: String,
    /// Below which programs (`bin`), headers and data go.
    pub prefix: String,
    /// The interpreter that scripts start.
    pub interpreter: String,
}

/// A file of a wheel, and its place.
#[derive(Debug)]
pub struct WheelFile {
    /// Its path on the disk.
    pub path: String,
    /// Whether it is a program.
    pub executable: bool,
    /// What it contains.
    pub content: Content,
}

/// What a file of a wheel contains.
#[derive(Debug)]
pub enum Content {
    /// As it is in the wheel.
    Zipped(Zipped),
    /// With another first line.
    Changed(Vec<u8>),
}

/// The files of a wheel in its order, none of them read yet. `name` is what errors call the wheel.
pub fn files(name: &str, wheel: &Path, places: &Places) -> Result<Vec<WheelFile>, Error> {
    let opened = File::open(wheel).map_err(Error::io("read", wheel))?;
    list(BufReader::new(opened), wheel, places).map_err(|problem| Error::BadPackage {
        input: name.into(),
        problem,
    })
}

fn list(reader: impl Read + Seek, wheel: &Path, places: &Places) -> Result<Vec<WheelFile>, String> {
    let said = |error: ZipError| error.to_string();
    let mut archive = ZipArchive::new(reader).map_err(said)?;
    if archive.has_duplicate_names() {
        return Err("two of its files have one name".into());
    }
    if archive.len() > MAX_FILES {
        return Err(format!("it has more than {MAX_FILES} files"));
    }
    let wheel: Arc<Path> = PathBuf::from(wheel).into();
    let mut unpacked = 0_u64;
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(said)?;
        if entry.is_dir() {
            continue;
        }
        unpacked = unpacked.saturating_add(entry.size());
        if unpacked > MAX_UNPACKED {
            return Err(format!("it unpacks to more than {MAX_UNPACKED} bytes"));
        }
        found.push(place(&entry, &wheel, places)?);
    }
    Ok(found)
}

fn place<R: Read>(
    entry: &ZipFile<'_, R>,
    wheel: &Arc<Path>,
    places: &Places,
) -> Result<WheelFile, String> {
    let name = String::from_utf8(entry.name_raw().to_owned());
    let name = name.map_err(|_| "a path is not UTF-8")?;
    if !stays_inside(&name) {
        return Err(format!("{name:?} leads elsewhere"));
    }
    let mode = entry.unix_mode().unwrap_or_default();
    // Of the kinds of files that a mode can name, only the plain one; 0 where nothing is said.
    if !matches!(mode & 0o170_000, 0 | 0o100_000) {
        return Err(format!("{name} is a link or a device"));
    }
    if entry.encrypted() {
        return Err(format!("{name} is encrypted"));
    }
    let deflated = match entry.compression() {
        CompressionMethod::Stored => false,
        CompressionMethod::Deflated => true,
        other => return Err(format!("{name} is compressed by {other}, not by deflate")),
    };
    let zipped = Zipped {
        archive: wheel.clone(),
        start: entry.data_start().ok_or("a file has no place in it")?,
        packed: entry.compressed_size(),
        size: entry.size(),
        crc32: entry.crc32(),
        deflated,
    };
    let executable = mode & 0o111 != 0;
    spread(&name, executable, zipped, places)
}

/// Puts what is below `NAME.data/` where it belongs, and anything else among the modules.
fn spread(
    name: &str,
    executable: bool,
    zipped: Zipped,
    places: &Places,
) -> Result<WheelFile, String> {
    let data = name.split_once('/').and_then(|(first, rest)| {
        let is_data = first.ends_with(DATA.trim_end_matches('/'));
        is_data.then(|| rest.split_once('/')).flatten()
    });
    let Places { site, prefix, .. } = places;
    let path = match data {
        None => format!("{site}/{name}"),
        Some(("purelib" | "platlib", rest)) => format!("{site}/{rest}"),
        Some(("data", rest)) => format!("{prefix}/{rest}"),
        Some(("headers", rest)) => format!("{prefix}/include/{rest}"),
        Some(("scripts", rest)) => return script(rest, zipped, places),
        Some((other, _)) => return Err(format!("{name}: there is no place for {other}")),
    };
    Ok(WheelFile {
        path,
        executable,
        content: Content::Zipped(zipped),
    })
}

/// A program. A first line that leaves the interpreter open is filled in, as installers do.
fn script(name: &str, zipped: Zipped, places: &Places) -> Result<WheelFile, String> {
    let path = format!("{}/bin/{name}", places.prefix);
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let mut start = Vec::new();
    let mut reader = zipped.reader();
    let front = ANY_PYTHON.len() as u64;
    reader
        .by_ref()
        .take(front)
        .read_to_end(&mut start)
        .map_err(failed)?;
    let file = |content| WheelFile {
        path,
        executable: true,
        content,
    };
    if start != ANY_PYTHON {
        return Ok(file(Content::Zipped(zipped)));
    }
    if zipped.size > MAX_SCRIPT {
        return Err(format!(
            "{name} is a script of more than {MAX_SCRIPT} bytes"
        ));
    }
    // `#!pythonw` is the same with a window, which no engine has.
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).map_err(failed)?;
    let rest = rest.strip_prefix(b"w").unwrap_or(&rest);
    let mut bytes = format!("#!{}", places.interpreter).into_bytes();
    bytes.extend_from_slice(rest);
    Ok(file(Content::Changed(bytes)))
}

/// Whether this is a relative path that stays where it is, on any system.
fn stays_inside(name: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..");
    let plain = |letter: char| !letter.is_control() && letter != '\\';
    name.split('/').all(part) && name.chars().all(plain)
}

#[cfg(test)]
mod tests;
