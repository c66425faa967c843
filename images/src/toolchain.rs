//! What compiles the measured programs beside [rustc](crate::rust): Debian packages, pinned with all that they depend on and unpacked
//! into a root of their own. None of their scripts run; the few links that those would make are made here. What is
//! unpacked stays in the cache and is not hashed again: whoever can write there can change what this machine builds.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
};

use serde::Deserialize;

use crate::{
    Error,
    digest::Sha256,
    fetch::Fetcher,
    lock::{Input, Kind, Lock},
    package, parallel, progress,
};

/// Changes with what is done to the packages below.
const LAYOUT: &str = "root 1";
/// Debian's merged /usr: packages with older paths land there, too.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];
/// What `update-alternatives` would choose, where there is what it would choose.
const ALTERNATIVES: [(&str, &str); 4] = [
    ("awk", "gawk"),
    ("awk", "mawk"),
    ("c++", "g++"),
    ("cc", "gcc"),
];

/// What a person asks for, such as images/toolchain.toml.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The Debian suite to take it from.
    pub suite: String,
    /// Packages; what they depend on comes along.
    pub packages: Vec<String>,
}

impl Recipe {
    /// Reads a recipe.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        toml::from_str(&text).map_err(|problem| Error::Malformed {
            path: path.to_owned(),
            problem: Box::new(problem),
        })
    }
}

/// `toolchain.lock.toml` beside `toolchain.toml`.
pub fn lock_of(recipe: &Path) -> PathBuf {
    recipe.with_extension("lock.toml")
}

/// A toolchain, unpacked.
#[derive(Debug, Clone)]
pub struct Toolchain {
    root: PathBuf,
    lock: PathBuf,
    pins: Vec<Input>,
}

impl Toolchain {
    /// The toolchain of a recipe's lock: fetched and unpacked unless it is in the cache.
    pub fn prepare(recipe: &Path, fetcher: &Fetcher) -> Result<Self, Error> {
        let wanted = Recipe::read(recipe)?;
        let lock = lock_of(recipe);
        let pins = Lock::read(&lock)?.input;
        let roots = fetcher.cache.join("roots");
        let toolchain = Self {
            root: roots.join(digest(&pins).to_string()),
            lock,
            pins,
        };
        for package in &wanted.packages {
            toolchain.pin(package)?;
        }
        if !toolchain.root.exists() {
            fs::create_dir_all(&roots).map_err(Error::io("create", &roots))?;
            toolchain.unpack(&roots, fetcher)?;
        }
        Ok(toolchain)
    }

    /// Where its root directory is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every package in it, and rustc, which is not in its root.
    pub fn pins(&self) -> &[Input] {
        &self.pins
    }

    /// One of its packages.
    pub fn pin(&self, package: &str) -> Result<&Input, Error> {
        let found = self.pins.iter().find(|pin| pin.package == package);
        found.ok_or_else(|| Error::NotLocked {
            input: package.into(),
            lock: self.lock.clone(),
        })
    }

    /// Beside its place, then renamed into it: never half a root.
    fn unpack(&self, roots: &Path, fetcher: &Fetcher) -> Result<(), Error> {
        let folder = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(roots);
        let folder = folder.map_err(Error::io("write to", roots))?;
        let debs = debs(&self.pins);
        fetcher.fetch_all("the packages that compile the programs", &debs)?;
        let usr = folder.path().join("usr");
        let made = MERGED.iter().try_for_each(|name| {
            fs::create_dir_all(usr.join(name))?;
            symlink(Path::new("usr").join(name), folder.path().join(name))
        });
        made.map_err(Error::io("write to", folder.path()))?;
        progress::during("unpacking them", String::new, || {
            let threads = thread::available_parallelism().map_or(1, usize::from);
            parallel::each(&debs, threads, |pin| {
                package::unpack_into(&pin.name, &fetcher.fetch(pin)?, folder.path())
            })
        })?;
        choose(&usr.join("bin")).map_err(Error::io("write to", &usr))?;
        match fs::rename(folder.path(), &self.root) {
            // Somebody else was faster, with the same.
            Err(_) if self.root.exists() => Ok(()),
            result => result.map_err(Error::io("write", &self.root)),
        }
    }
}

fn choose(programs: &Path) -> io::Result<()> {
    for (name, choice) in ALTERNATIVES {
        let link = programs.join(name);
        if link.symlink_metadata().is_err() && programs.join(choice).exists() {
            symlink(choice, link)?;
        }
    }
    Ok(())
}

fn debs(pins: &[Input]) -> Vec<Input> {
    let debs = pins.iter().filter(|pin| pin.kind == Kind::Deb);
    debs.cloned().collect()
}

fn digest(pins: &[Input]) -> Sha256 {
    let pins = debs(pins);
    let lines = pins.iter().map(|pin| format!("\n{}", pin.sha256));
    let text: String = std::iter::once(LAYOUT.to_owned()).chain(lines).collect();
    Sha256::of(text.as_bytes())
}
