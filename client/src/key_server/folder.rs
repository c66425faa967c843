//! A folder of keys and secrets, each in a file that its owner alone can read: `ROOT.key`, as `chrysalis-image seal` makes it, and
//! `NAME.secret`, as `chrysalis keys add` does.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::PathBuf,
};

use chrysalis_wire::{
    configuration::{SECRET_NAME, is_digest, is_secret_name},
    keys::{KEY, Wiped},
};

use super::secret::{Addressee, MAX_ADDRESSEES, MAX_FILE, Secret, bounded};

/// The folder. It is read for each question, so what is taken out is not given any more.
#[derive(Debug, Clone)]
pub struct KeyFolder(PathBuf);

/// There is no such key or secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoKey {
    /// There is no such file.
    #[error("there is no {0}")]
    Unknown(String),
    /// The file is not one.
    #[error("the file of {what} {problem}")]
    Unusable {
        /// Of what.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The secret is for other engines.
    #[error("its owner does not give {name} to this engine with this model")]
    NotForIt {
        /// Which secret.
        name: String,
    },
}

/// A secret that is not put there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAdded {
    /// This cannot be its name.
    #[error("a secret's name has {SECRET_NAME}")]
    Name,
    /// Its value cannot be given.
    #[error("the secret {0}")]
    Value(&'static str),
    /// It has no addressee, or too many.
    #[error("a secret is for 1 to {MAX_ADDRESSEES} engines")]
    Addressees,
    /// There is one of this name.
    #[error("there is a secret of this name")]
    There,
    /// The file cannot be written.
    #[error("the file cannot be written: {0}")]
    Io(#[from] io::Error),
}

impl KeyFolder {
    /// Keys and secrets in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The key of the disk with this root.
    pub fn get(&self, root: &str) -> Result<Wiped, NoKey> {
        // It becomes a part of a path.
        if !is_digest(root) {
            let root: String = root.chars().take(64).collect();
            return Err(NoKey::Unknown(format!("key of the disk {root}")));
        }
        let what = format!("key of the disk {root}");
        let text = self.read(&format!("{root}.key"), &what, 4 * KEY)?;
        let key = Wiped::new(hex::decode(text.trim_ascii()).unwrap_or_default());
        if key.len() == KEY {
            return Ok(key);
        }
        Err(NoKey::Unusable {
            what,
            problem: format!("is not {} hexadecimal digits", 2 * KEY),
        })
    }

    /// The secret of this name, for this engine with this model.
    pub fn secret(&self, name: &str, whose: &Addressee) -> Result<Wiped, NoKey> {
        if !is_secret_name(name) {
            let name: String = name.chars().take(64).collect();
            return Err(NoKey::Unknown(format!("secret {name}")));
        }
        let what = format!("secret {name}");
        let file = self.read(&format!("{name}.secret"), &what, MAX_FILE)?;
        let secret = Secret::parse(&file).map_err(|problem| NoKey::Unusable {
            what,
            problem: problem.to_owned(),
        })?;
        if secret.addressees.contains(whose) {
            return Ok(secret.value);
        }
        Err(NoKey::NotForIt {
            name: name.to_owned(),
        })
    }

    /// Puts a secret there for these engines, in place of one of the same name only where `replace` says so.
    pub fn add_secret(
        &self,
        name: &str,
        value: Wiped,
        addressees: &[Addressee],
        replace: bool,
    ) -> Result<PathBuf, NotAdded> {
        if !is_secret_name(name) {
            return Err(NotAdded::Name);
        }
        let value = bounded(value).map_err(NotAdded::Value)?;
        if !(1..=MAX_ADDRESSEES).contains(&addressees.len()) {
            return Err(NotAdded::Addressees);
        }
        let place = self.0.join(format!("{name}.secret"));
        if place.exists() && !replace {
            return Err(NotAdded::There);
        }
        // A server that runs meanwhile sees the one or the other.
        let new = self.0.join(format!(".{name}.new"));
        let _ = fs::remove_file(&new);
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&Secret::file(addressees, &value))?;
        file.sync_all()?;
        fs::rename(&new, &place)?;
        Ok(place)
    }

    /// A file that its owner alone can read.
    fn read(&self, name: &str, what: &str, most: usize) -> Result<Wiped, NoKey> {
        let unusable = |problem: String| NoKey::Unusable {
            what: what.to_owned(),
            problem,
        };
        let read = |error: io::Error| unusable(format!("cannot be read: {error}"));
        let file = match File::open(self.0.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NoKey::Unknown(what.to_owned()));
            }
            opened => opened.map_err(read)?,
        };
        if file.metadata().map_err(read)?.mode() & 0o077 != 0 {
            return Err(unusable(
                "can be read by others: run chmod 600 on it".into(),
            ));
        }
        // One byte more than it may have; room for all at once, since what grows leaves copies behind.
        let mut bytes = Wiped::new(Vec::with_capacity(most.saturating_add(2)));
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() > most {
            return Err(unusable("is too long".into()));
        }
        Ok(bytes)
    }

    /// How many keys, and how many secrets there are.
    pub fn count(&self) -> io::Result<(usize, usize)> {
        let (mut keys, mut secrets) = (0, 0);
        for entry in fs::read_dir(&self.0)?.filter_map(Result::ok) {
            match entry.path().extension().and_then(|it| it.to_str()) {
                Some("key") => keys += 1,
                Some("secret") => secrets += 1,
                _ => {}
            }
        }
        Ok((keys, secrets))
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, slice::from_ref};

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
        assert_eq!(folder.count().unwrap(), (1, 0));
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

    fn engine(model: &str) -> Addressee {
        Addressee {
            model: model.repeat(32),
            engine: "ef".repeat(32),
        }
    }

    fn value(text: &str) -> Wiped {
        Wiped::new(text.as_bytes().to_vec())
    }

    #[test]
    fn gives_a_secret_to_those_that_it_is_for() {
        let place = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(place.path().to_owned());
        let (one, other) = (engine("ab"), engine("cd"));
        let path = folder.add_secret("licence", value("one\n"), from_ref(&one), false);
        let path = path.unwrap();
        assert_eq!(path, place.path().join("licence.secret"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(*folder.secret("licence", &one).unwrap(), b"one\n");
        assert_eq!(folder.count().unwrap(), (0, 1));
        let not_for_it = |whose: &Addressee| {
            let refused = folder.secret("licence", whose);
            assert!(matches!(refused, Err(NoKey::NotForIt { .. })));
        };
        not_for_it(&other);
        // The same model with an engine of somebody else's.
        not_for_it(&Addressee {
            engine: "00".repeat(32),
            ..one.clone()
        });
        for name in ["", "none", "../licence", "Licence", "licence.secret"] {
            let refused = folder.secret(name, &one);
            assert!(matches!(refused, Err(NoKey::Unknown(_))), "{name}");
        }
        let again = |replace| folder.add_secret("licence", value("two"), from_ref(&other), replace);
        assert!(matches!(again(false), Err(NotAdded::There)));
        assert_eq!(*folder.secret("licence", &one).unwrap(), b"one\n");
        again(true).unwrap();
        assert_eq!(*folder.secret("licence", &other).unwrap(), b"two");
        not_for_it(&one);
        assert_eq!(folder.count().unwrap(), (0, 1), "nothing is left behind");
    }

    #[test]
    fn a_secret_that_others_can_read_or_that_is_none_is_not_given() {
        let place = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(place.path().to_owned());
        let whose = engine("ab");
        let path = folder.add_secret("licence", value("v"), from_ref(&whose), false);
        let path = path.unwrap();
        let unusable = |problem: &str| {
            let error = folder.secret("licence", &whose).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        unusable("chmod 600");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "v").unwrap();
        unusable("whom it is for");
        fs::write(&path, vec![b'v'; MAX_FILE + 1]).unwrap();
        unusable("is too long");
    }

    #[test]
    fn what_cannot_be_given_is_not_put_there() {
        let place = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(place.path().to_owned());
        let add = |name: &str, bytes: usize, engines: usize| {
            let engines = vec![engine("ab"); engines];
            let added = folder.add_secret(name, vec![1; bytes].into(), &engines, false);
            added.unwrap_err().to_string()
        };
        assert!(add("../x", 1, 1).contains("name has"));
        assert!(add("x", 0, 1).contains("has no value"));
        assert!(add("x", (64 << 10) + 1, 1).contains("more than 64 KiB"));
        assert!(add("x", 1, 0).contains("1 to 64 engines"));
        assert!(add("x", 1, MAX_ADDRESSEES + 1).contains("1 to 64 engines"));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
