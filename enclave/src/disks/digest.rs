//! Reading what dm-verity watches, and the digests of what is read.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use ring::digest::{self, Context};
use rustix::io::Errno;

use crate::failure::Failure;

/// How much is read at once.
const PIECE: usize = 1024 * 1024;
/// The deepest folder in a model's folder.
const MAX_DEPTH: usize = 8;

/// Reads so many bytes, piece by piece. Through dm-verity, a block that does not hash to its place is an I/O error.
pub(super) fn read(place: &Path, size: u64, mut take: impl FnMut(&[u8])) -> Result<(), Failure> {
    let missing = |why| Failure::DiskMissing {
        place: place.to_owned(),
        why,
    };
    let mut from = File::open(place).map_err(missing)?.take(size);
    let mut piece = vec![0; PIECE];
    let mut left = size;
    while left > 0 {
        match from.read(&mut piece) {
            Ok(0) => {
                return Err(wrong(place, &format!("it ends {left} bytes early")));
            }
            Ok(length) => {
                take(piece.get(..length).unwrap_or_default());
                left = left.saturating_sub(length as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => {
                let at = size.saturating_sub(left);
                return Err(wrong(
                    place,
                    &format!("from byte {at} on it does not hash up to its root"),
                ));
            }
            Err(error) => return Err(missing(error)),
        }
    }
    Ok(())
}

/// The SHA-256 of a file's first bytes.
pub(super) fn of_file(place: &Path, size: u64) -> Result<String, Failure> {
    let mut hash = Context::new(&digest::SHA256);
    read(place, size, |piece| hash.update(piece))?;
    Ok(hex::encode(hash.finish()))
}

/// The SHA-256 of a folder: of a text with a line `DIGEST  PATH` for each file, sorted by path.
pub(super) fn of_folder(folder: &Path) -> Result<String, Failure> {
    let mut files = Vec::new();
    list(folder, MAX_DEPTH, &mut files)?;
    let mut lines = Vec::new();
    for file in files {
        let size = fs::metadata(&file).map_err(missing(&file))?.len();
        let name = file.strip_prefix(folder).unwrap_or(&file);
        let name = name
            .to_str()
            .ok_or_else(|| wrong(&file, "its name is not UTF-8"))?;
        lines.push((name.to_owned(), of_file(&file, size)?));
    }
    lines.sort();
    let mut hash = Context::new(&digest::SHA256);
    for (name, digest) in lines {
        hash.update(format!("{digest}  {name}\n").as_bytes());
    }
    Ok(hex::encode(hash.finish()))
}

fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(wrong(folder, "its folders are too deep"));
    };
    for entry in fs::read_dir(folder).map_err(missing(folder))? {
        let path = entry.map_err(missing(folder))?.path();
        let kind = fs::symlink_metadata(&path)
            .map_err(missing(&path))?
            .file_type();
        if kind.is_dir() {
            list(&path, deeper, files)?;
        } else if kind.is_file() {
            files.push(path);
        } else {
            return Err(wrong(&path, "it is neither a file nor a folder"));
        }
    }
    Ok(())
}

fn missing(place: &Path) -> impl Fn(io::Error) -> Failure {
    move |why| Failure::DiskMissing {
        place: place.to_owned(),
        why,
    }
}

fn wrong(place: &Path, why: &str) -> Failure {
    Failure::DiskWrong {
        what: format!("{} is not the configuration's", place.display()),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha256(text: &str) -> String {
        hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }

    #[test]
    fn takes_the_file_and_leaves_what_follows_it() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::write(&disk, "weights, then the hash tree").unwrap();
        assert_eq!(of_file(&disk, 7).unwrap(), sha256("weights"));
    }

    #[test]
    fn a_disk_that_ends_early_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::write(&disk, "weigh").unwrap();
        let refused = of_file(&disk, 7).unwrap_err();
        assert_eq!(refused.code(), "disk_wrong");
        assert!(
            refused.to_string().contains("ends 2 bytes early"),
            "{refused}"
        );
    }

    #[test]
    fn a_disk_that_is_not_there_is_named() {
        let refused = of_file(Path::new("/nonexistent"), 1).unwrap_err();
        assert_eq!(refused.code(), "disk_missing");
    }

    #[test]
    fn a_folder_has_the_digest_of_its_sorted_list() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/c"), "2").unwrap();
        fs::write(folder.path().join("a"), "1").unwrap();
        let list = format!("{}  a\n{}  b/c\n", sha256("1"), sha256("2"));
        assert_eq!(of_folder(folder.path()).unwrap(), sha256(&list));
    }

    #[test]
    fn a_folder_with_anything_but_files_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let refused = of_folder(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("neither a file"), "{refused}");
        let deep = folder.path().join("1/2/3/4/5/6/7/8/9");
        fs::remove_file(folder.path().join("link")).unwrap();
        fs::create_dir_all(deep).unwrap();
        let refused = of_folder(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("too deep"), "{refused}");
    }
}
