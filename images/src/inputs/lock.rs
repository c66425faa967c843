//! The lock: every input by name, version, place and SHA-256. It names no host: where to fetch from is each machine's own
//! business, and the digest decides whether the right bytes came.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::{Error, digest::Sha256, files::read_toml};

const HEADER: &str = "\
# Pinned inputs. `make lock` writes this file; review its diff like code.
# A new input of an image: name, package, kind and suite (of a deb); version = \"0\" and 64 zeros as sha256. `make lock`
# fills it in. What compiles the programs follows from toolchain.toml, into a lock of its own.
";

/// All pins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Sorted by name.
    pub input: Vec<Input>,
}

/// One pinned file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What recipes call it; stays the same when the package's name changes with its version.
    pub name: String,
    /// Which kind of package it is, and so what fetches it.
    pub kind: Kind,
    /// The package's name where it comes from.
    pub package: String,
    /// The meta package that leads to [`Self::package`], whose name changes with its version, for `make lock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
    /// Its version.
    pub version: String,
    /// Of a deb: the Debian suite that had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// Of a deb: a moment at which the suite had it, for the snapshot archive. `make lock` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Moment>,
    /// Of a deb: the path below an archive's base. Of a wheel or an sdist: the file's name. Of Rust: empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The length of all its files, in bytes.
    #[serde(default)]
    pub size: u64,
    /// The digest, which decides.
    pub sha256: Sha256,
}

/// Kinds of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A Debian package.
    Deb,
    /// A Python package: a zip file.
    Wheel,
    /// The sources of a Python package: a gzipped tar file. Nothing of it runs before it is compiled in a chamber.
    Sdist,
    /// Rust's compiler: many files, which rustup fetches and [`crate::compile::rust`] checks.
    Rust,
}

impl Kind {
    /// As the lock writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Wheel => "wheel",
            Self::Sdist => "sdist",
            Self::Rust => "rust",
        }
    }
}

impl Lock {
    /// Reads and checks a lock.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut lock: Self = read_toml(path)?;
        lock.input.sort_by(|left, right| left.name.cmp(&right.name));
        let value = |input: &Input, key: &str, problem: &str| {
            Error::value(path, format!("{key} of {}", input.name), problem)
        };
        for input in &lock.input {
            if (input.kind == Kind::Deb) != input.suite.is_some() {
                return Err(value(
                    input,
                    "suite",
                    "is required for a deb, and not allowed otherwise",
                ));
            }
            if input.kind != Kind::Deb && input.snapshot.is_some() {
                return Err(value(input, "snapshot", "is not allowed: it is for debs"));
            }
            // The path goes into an address and into a file name.
            let word = |part: &str| {
                !matches!(part, "" | "." | "..") && part.bytes().all(|byte| byte.is_ascii_graphic())
            };
            let is_file = input.kind != Kind::Rust && input.sha256 != Sha256::UNSET;
            if is_file && !input.path.split('/').all(word) {
                return Err(value(
                    input,
                    "path",
                    "must be a relative path without `.`, `..` or spaces",
                ));
            }
            let is_python = matches!(input.kind, Kind::Wheel | Kind::Sdist);
            if is_python && input.path.contains('/') {
                return Err(value(input, "path", "must be the name of the file"));
            }
        }
        let twice = |pair: &&[Input]| matches!(pair, [left, right] if left.name == right.name);
        if let Some([input, ..]) = lock.input.windows(2).find(twice) {
            return Err(value(input, "name", "must be unique"));
        }
        Ok(lock)
    }

    /// The file's text: the same pins, the same bytes.
    pub fn render(&self) -> String {
        let mut lock = self.clone();
        lock.input.sort_by(|left, right| left.name.cmp(&right.name));
        let body = toml::to_string(&lock).expect("strings and numbers always serialise");
        format!("{HEADER}\n{body}")
    }
}

/// A lock, and the file that it was read from.
pub struct LockFile {
    path: PathBuf,
    lock: Lock,
}

impl LockFile {
    /// `lock.toml` next to a recipe, or else next to the folder that it is in.
    pub fn beside(recipe: &Path) -> Result<Self, Error> {
        let near = recipe.with_file_name("lock.toml");
        let above = near.with_file_name("..").join("lock.toml");
        Self::read(if !near.exists() && above.exists() {
            above
        } else {
            near
        })
    }

    /// The lock at this path.
    pub fn read(path: PathBuf) -> Result<Self, Error> {
        let lock = Lock::read(&path)?;
        Ok(Self { path, lock })
    }

    /// The pin of an input that a recipe names.
    pub fn input(&self, name: &str, wanted: Kind) -> Result<&Input, Error> {
        let not_locked = || Error::NotLocked {
            input: name.into(),
            lock: self.path.clone(),
        };
        let pins = &self.lock.input;
        let input = pins
            .iter()
            .find(|input| input.name == name)
            .ok_or_else(not_locked)?;
        if input.sha256 == Sha256::UNSET {
            return Err(not_locked());
        }
        if input.kind != wanted {
            return Err(Error::WrongKind {
                input: name.into(),
                wanted: wanted.name(),
                locked: input.kind.name(),
            });
        }
        Ok(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn committed() -> (&'static Path, Lock) {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/lock.toml"));
        (path, Lock::read(path).unwrap())
    }

    #[test]
    fn committed_locks_are_what_would_be_written() {
        let (path, lock) = committed();
        assert_eq!(lock.render(), fs::read_to_string(path).unwrap());
        let path = path.with_file_name("toolchain.lock.toml");
        let lock = Lock::read(&path).unwrap();
        assert_eq!(lock.render(), fs::read_to_string(path).unwrap());
    }

    #[test]
    fn names_no_host() {
        let (path, _) = committed();
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains("://"), "{text}");
    }

    #[test]
    fn recipe_and_lock_must_agree() {
        let (path, _) = committed();
        let lock = LockFile::beside(path).unwrap();
        let unknown = lock.input("gcc", Kind::Deb).unwrap_err();
        assert!(matches!(unknown, Error::NotLocked { input, .. } if input == "gcc"));
        let kind = lock.input("firmware-snp", Kind::Wheel).unwrap_err();
        assert!(matches!(
            kind,
            Error::WrongKind {
                wanted: "wheel",
                locked: "deb",
                ..
            }
        ));
    }

    #[test]
    fn every_committed_deb_has_its_moment() {
        let (path, lock) = committed();
        let toolchain = Lock::read(&path.with_file_name("toolchain.lock.toml")).unwrap();
        for input in lock.input.iter().chain(&toolchain.input) {
            let has = input.snapshot.is_some();
            assert_eq!(has, input.kind == Kind::Deb, "{}", input.name);
        }
    }

    fn refused(change: impl FnOnce(&mut Lock)) -> Error {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock.toml");
        let (_, mut lock) = committed();
        change(&mut lock);
        fs::write(&path, lock.render()).unwrap();
        Lock::read(&path).unwrap_err()
    }

    #[test]
    fn refuses_a_path_that_climbs() {
        let error = refused(|lock| lock.input[0].path = "pool/../../etc/passwd".into());
        assert!(matches!(error, Error::Value { key, .. } if key.starts_with("path of")));
    }

    #[test]
    fn refuses_a_moment_of_what_is_no_deb() {
        let error = refused(|lock| {
            let moment = lock.input[0].snapshot.clone();
            let wheel = lock.input.iter_mut().find(|it| it.kind == Kind::Wheel);
            wheel.unwrap().snapshot = moment;
        });
        assert!(matches!(error, Error::Value { key, .. } if key.starts_with("snapshot of")));
    }

    #[test]
    fn refuses_what_is_no_moment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock.toml");
        let text = committed().1.render();
        let (before, after) = text.split_once("snapshot = \"").unwrap();
        fs::write(&path, format!("{before}snapshot = \"x{after}")).unwrap();
        let text = Lock::read(&path).unwrap_err().to_string();
        assert!(
            text.contains("is no moment such as 20261129T000000Z"),
            "{text}"
        );
    }
}
