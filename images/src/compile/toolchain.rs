//! What compiles the measured programs, apart from [rustc](super::rust): Debian packages, pinned with all that they depend on
//! and unpacked into a root of their own. None of their scripts run; the few links that those would make are made here. What
//! is unpacked stays in the cache and is not hashed again: anyone who can write there can change what this machine builds.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
};

use crate::{
    Error,
    digest::Sha256,
    files::make_once,
    inputs::{
        fetch::Fetcher,
        lock::{Input, Kind, Lock},
        package,
        recipe::ToolchainRecipe,
    },
    parallel, progress,
};

/// To be changed with what is done to the packages below.
const LAYOUT: &str = "root 1";
/// Debian's merged /usr: packages with older paths land there, too.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];
/// What `update-alternatives` would choose, if it is there.
const ALTERNATIVES: [(&str, &str); 4] = [
    ("awk", "gawk"),
    ("awk", "mawk"),
    ("c++", "g++"),
    ("cc", "gcc"),
];

pub use crate::inputs::python::lock_of;

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
        let wanted = ToolchainRecipe::read(recipe)?;
        let lock = lock_of(recipe);
        let pins = Lock::read(&lock)?.input;
        for package in &wanted.packages {
            find(&pins, &lock, package)?;
        }
        Self::of(&pins, &lock, fetcher)
    }

    /// The packages of a lock: fetched and unpacked unless they are in the cache.
    pub fn of(pins: &[Input], lock: &Path, fetcher: &Fetcher) -> Result<Self, Error> {
        let root = digest(pins).to_string();
        let toolchain = Self {
            root: fetcher.cache.join("roots").join(root),
            lock: lock.to_owned(),
            pins: pins.to_owned(),
        };
        make_once(&toolchain.root, |root| unpack(pins, root, fetcher))?;
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
        find(&self.pins, &self.lock, package)
    }
}

fn find<'pins>(pins: &'pins [Input], lock: &Path, package: &str) -> Result<&'pins Input, Error> {
    let found = pins.iter().find(|pin| pin.package == package);
    found.ok_or_else(|| Error::NotLocked {
        input: package.into(),
        lock: lock.to_owned(),
    })
}

fn unpack(pins: &[Input], root: &Path, fetcher: &Fetcher) -> Result<PathBuf, Error> {
    let debs = debs(pins);
    fetcher.fetch_all("the packages that compile", &debs)?;
    let usr = root.join("usr");
    let made = MERGED.iter().try_for_each(|name| {
        fs::create_dir_all(usr.join(name))?;
        symlink(Path::new("usr").join(name), root.join(name))
    });
    made.map_err(Error::io("write to", root))?;
    progress::during("unpacking them", || {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        parallel::each(&debs, threads, |pin| {
            package::unpack_into(&pin.name, &fetcher.fetch(pin)?, root)
        })
    })?;
    choose(&usr.join("bin")).map_err(Error::io("write to", &usr))?;
    Ok(root.to_owned())
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
