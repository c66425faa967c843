//! A folder of keys, each in a file that its owner alone can read: `ROOT.key`, as `chrysalis-image seal` makes it.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use chrysalis_wire::{configuration::is_digest, keys::KEY};
use zeroize::Zeroizing;

/// The folder. It is read for each question, so a key that is taken out is given to nobody from then on.
#[derive(Debug, Clone)]
pub struct KeyFolder(PathBuf);

/// There is no such key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoKey {
    /// Nobody put one there.
    #[error("there is no key of the disk {0}")]
    Unknown(String),
    /// The file is not one.
    #[error("the file of the key of {root} {problem}")]
    Unusable {
        /// Which disk's.
        root: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl KeyFolder {
    /// Keys in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The key of the disk with this root.
    pub fn get(&self, root: &str) -> Result<Zeroizing<Vec<u8>>, NoKey> {
        let unknown = || NoKey::Unknown(root.chars().take(64).collect());
        // It becomes a part of a path.
        if !is_digest(root) {
            return Err(unknown());
        }
        let unusable = |problem: String| NoKey::Unusable {
            root: root.to_owned(),
            problem,
        };
        let path = self.0.join(format!("{root}.key"));
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => unknown(),
            _ => unusable(format!("cannot be read: {error}")),
        })?;
        let read = |error: io::Error| unusable(format!("cannot be read: {error}"));
        if file.metadata().map_err(read)?.mode() & 0o077 != 0 {
            return Err(unusable(
                "can be read by others: run chmod 600 on it".into(),
            ));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(4 * KEY as u64)
            .read_to_string(&mut text)
            .map_err(read)?;
        let key = Zeroizing::new(hex::decode(text.trim()).unwrap_or_default());
        if key.len() != KEY {
            return Err(unusable(format!("is not {} hexadecimal digits", 2 * KEY)));
        }
        Ok(key)
    }

    /// How many keys there are.
    pub fn count(&self) -> io::Result<usize> {
        let entries = fs::read_dir(&self.0)?.filter_map(Result::ok);
        let keys = entries.filter(|it| it.path().extension().is_some_and(|end| end == "key"));
        Ok(keys.count())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn gives_a_key_by_its_root_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(place.path().join("keys"));
        fs::create_dir(place.path().join("keys")).unwrap();
        let root = "ab".repeat(32);
        let put = |text: &str, mode| {
            let path = place.path().join(format!("keys/{root}.key"));
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let unknown = |root: &str| matches!(folder.get(root), Err(NoKey::Unknown(_)));
        assert!(unknown(&root));
        put(&format!("{}\n", "07".repeat(KEY)), 0o600);
        assert_eq!(*folder.get(&root).unwrap(), [7; KEY]);
        assert_eq!(folder.count().unwrap(), 1);
        fs::write(place.path().join("outside.key"), "07".repeat(KEY)).unwrap();
        for wrong in ["", "../outside", &root.to_uppercase(), &root[1..]] {
            assert!(unknown(wrong), "{wrong}");
        }
        let unusable = |problem: &str| {
            let error = folder.get(&root).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        };
        put(&"07".repeat(KEY), 0o644);
        unusable("chmod 600");
        put(&"07".repeat(KEY - 1), 0o600);
        unusable("hexadecimal digits");
    }
}
