//! A folder of objects: one file each, with names that people can find, and `store.json` next to them.
//!
//! A file is written completely or not at all, then the index; readers compare the two, so a crash in between costs a fetch but
//! never mixes objects up. Several programs may share a folder.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use chrysalis_attestation::{Span, Time, encoding::digest::sha256};

use crate::{
    error::StoreError,
    http::MAX_ANSWER,
    index::{Entry, Index, is_plain},
    object::Object,
};

const INDEX: &str = "store.json";
const LOCK: &str = ".lock";
/// The largest index that is read.
const MAX_INDEX: u64 = 4 * 1024 * 1024;

/// A folder of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

/// A stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) file: Vec<u8>,
    pub(crate) entry: Entry,
}

/// What happened to an object that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// It is new, or replaced an older one.
    Written,
    /// The very same one was there already.
    Same,
    /// A newer one was there already, and stays.
    Older { stored: Time },
}

impl Store {
    /// Opens an existing store.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        if folder.join(INDEX).is_file() {
            Ok(Self {
                folder: folder.to_owned(),
            })
        } else {
            Err(StoreError::NoStore(folder.to_owned()))
        }
    }

    /// Opens an existing store, or makes a new one in a new or empty folder.
    pub fn open_or_create(folder: &Path) -> Result<Self, StoreError> {
        let store = Self {
            folder: folder.to_owned(),
        };
        fs::create_dir_all(folder).map_err(StoreError::disk("cannot make", folder))?;
        let _lock = store.lock()?;
        if !folder.join(INDEX).exists() {
            store.write(INDEX, &Index::new().encode())?;
        }
        Ok(store)
    }

    /// Whether a folder is a store, rather than a folder of hand-picked certificates.
    pub fn is_at(folder: &Path) -> bool {
        folder.join(INDEX).is_file()
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that the index lists, by path.
    pub fn entries(&self) -> Result<Vec<(String, Entry)>, StoreError> {
        Ok(self.index()?.objects.into_iter().collect())
    }

    /// The file at a path of the index, if it is the one that was stored.
    pub(crate) fn file(&self, path: &str, entry: &Entry) -> Result<Vec<u8>, StoreError> {
        if !is_plain(path) {
            return Err(StoreError::Name(path.to_owned()));
        }
        let place = self.folder.join(path);
        match read(&place, MAX_ANSWER) {
            Ok(Some(file)) if hex::encode(sha256(&[&file])) == entry.sha256 => Ok(file),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StoreError::disk("cannot read", &place)(error))
            }
            _ => Err(StoreError::Damaged(place)),
        }
    }

    /// An object, if it is there and is what was stored.
    pub(crate) fn read(&self, object: &Object) -> Result<Option<Kept>, StoreError> {
        let path = object.path();
        let Some(entry) = self.index()?.objects.remove(&path) else {
            return Ok(None);
        };
        let file = self.file(&path, &entry)?;
        Ok(Some(Kept { file, entry }))
    }

    /// Keeps an object, unless a newer one is there.
    pub(crate) fn keep(
        &self,
        object: &Object,
        (file, span): (&[u8], Span),
        source: &str,
        now: Time,
    ) -> Result<Keeping, StoreError> {
        let path = object.path();
        if !is_plain(&path) {
            return Err(StoreError::Name(path));
        }
        let entry = Entry {
            what: object.to_string(),
            source: source.to_owned(),
            fetched_at: now,
            made_at: span.from,
            valid_until: span.until,
            number: span.number,
            sha256: hex::encode(sha256(&[file])),
        };
        let _lock = self.lock()?;
        let mut index = self.index()?;
        let mut keeping = Keeping::Written;
        if let Some(stored) = index.objects.get(&path) {
            if object.has_successors() && is_older(&entry, stored) {
                return Ok(Keeping::Older {
                    stored: stored.made_at,
                });
            }
            if stored.sha256 == entry.sha256 && self.file(&path, stored).is_ok() {
                keeping = Keeping::Same;
            }
        }
        if keeping == Keeping::Written {
            self.write(&path, file)?;
        }
        index.objects.insert(path, entry);
        self.write(INDEX, &index.encode())?;
        Ok(keeping)
    }

    fn index(&self) -> Result<Index, StoreError> {
        let path = self.folder.join(INDEX);
        let damaged = |what| StoreError::Index {
            path: path.clone(),
            what,
        };
        let bytes = match read(&path, MAX_INDEX) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(damaged(format!("it has more than {MAX_INDEX} bytes"))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::NoStore(self.folder.clone()));
            }
            Err(error) => return Err(StoreError::disk("cannot read", &path)(error)),
        };
        Index::parse(&bytes).map_err(damaged)
    }

    /// Held until dropped; the kernel releases it if the process dies.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.folder.join(LOCK);
        let lock = File::create(&path).map_err(StoreError::disk("cannot open", &path))?;
        lock.lock()
            .map_err(StoreError::disk("cannot lock", &path))?;
        Ok(lock)
    }

    /// Writes to a temporary file next to it, syncs that, and moves it into place. The lock is held.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let place = self.folder.join(path);
        let folder = place.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(StoreError::disk("cannot make", folder))?;
        let draft = self.folder.join(".new");
        File::create(&draft)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .map_err(StoreError::disk("cannot write", &draft))?;
        fs::rename(&draft, &place).map_err(StoreError::disk("cannot write", &place))
    }
}

/// Compares by number if both have one, otherwise by when they were made.
fn is_older(new: &Entry, stored: &Entry) -> bool {
    match (new.number, stored.number) {
        (Some(new), Some(stored)) if new != stored => new < stored,
        _ => new.made_at < stored.made_at,
    }
}

/// A file's bytes; `None` if there are more than `limit`.
fn read(path: &Path, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_attestation::snp::product::Product;

    const LIST: Object = Object::VcekList(Product::Genoa);
    const NOW: Time = Time(1000);

    fn span(from: i64, number: Option<u64>) -> Span {
        Span {
            from: Time(from),
            until: Time(from + 10_000),
            number,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(folder.path()).unwrap();
        (folder, store)
    }

    #[test]
    fn keeps_an_object_and_says_what_it_is() {
        let (folder, store) = store();
        assert_eq!(store.read(&LIST).unwrap(), None);
        let keep = |file: &[u8]| {
            store
                .keep(&LIST, (file, span(500, None)), "there", NOW)
                .unwrap()
        };
        assert_eq!(keep(b"list"), Keeping::Written);
        assert_eq!(keep(b"list"), Keeping::Same);
        let kept = store.read(&LIST).unwrap().unwrap();
        assert_eq!(kept.file, b"list");
        assert_eq!(kept.entry.what, "AMD's revocation list for Genoa");
        assert_eq!(
            fs::read(folder.path().join("amd/genoa/crl.der")).unwrap(),
            b"list"
        );
        assert_eq!(Store::open(folder.path()).unwrap(), store);
    }

    #[test]
    fn an_older_object_does_not_replace_a_newer_one() {
        let (_folder, store) = store();
        let keep = |file: &[u8], from, number| {
            store
                .keep(&LIST, (file, span(from, number)), "there", NOW)
                .unwrap()
        };
        keep(b"second", 500, Some(2));
        let older = Keeping::Older { stored: Time(500) };
        assert_eq!(
            keep(b"first", 600, Some(1)),
            older,
            "by number, whatever the date"
        );
        assert_eq!(keep(b"earlier", 499, Some(2)), older);
        assert_eq!(keep(b"earlier", 499, None), older);
        assert_eq!(keep(b"third", 500, Some(3)), Keeping::Written);
        assert_eq!(store.read(&LIST).unwrap().unwrap().file, b"third");
    }

    #[test]
    fn a_file_that_was_changed_or_lost_is_named() {
        let (folder, store) = store();
        store
            .keep(&LIST, (b"list", span(500, None)), "there", NOW)
            .unwrap();
        let place = folder.path().join("amd/genoa/crl.der");
        fs::write(&place, "other").unwrap();
        assert!(matches!(store.read(&LIST), Err(StoreError::Damaged(path)) if path == place));
        fs::remove_file(&place).unwrap();
        assert!(matches!(store.read(&LIST), Err(StoreError::Damaged(_))));
        let again = store
            .keep(&LIST, (b"list", span(500, None)), "there", NOW)
            .unwrap();
        assert_eq!(again, Keeping::Written, "the same object repairs it");
        assert_eq!(store.read(&LIST).unwrap().unwrap().file, b"list");
    }

    #[test]
    fn refuses_a_folder_without_an_index_and_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            Store::open(folder.path()),
            Err(StoreError::NoStore(_))
        ));
        let store = Store::open_or_create(folder.path()).unwrap();
        fs::write(folder.path().join(INDEX), "{").unwrap();
        assert!(matches!(store.read(&LIST), Err(StoreError::Index { .. })));
        fs::write(
            folder.path().join(INDEX),
            vec![b' '; usize::try_from(MAX_INDEX).unwrap() + 1],
        )
        .unwrap();
        let error = store.read(&LIST).unwrap_err().to_string();
        assert!(error.contains("has more than"), "{error}");
    }

    #[test]
    fn a_name_that_leads_elsewhere_becomes_no_file() {
        let (_folder, store) = store();
        let hostile = Object::Rim("../../x".to_owned());
        let refused = store.keep(&hostile, (b"", span(0, None)), "there", NOW);
        assert!(matches!(refused, Err(StoreError::Name(_))));
    }
}
