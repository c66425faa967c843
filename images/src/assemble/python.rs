//! Puts an interpreter and its wheels onto an engine's disk: everything that the engine's own lock pins, but for what the recipe
//! leaves out. Nothing of it runs, so nothing of this machine can change it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{
    packages::Packages,
    tree::{Bytes, Node, Tree, mode_of},
};
use crate::{
    Error,
    compile::bytecode::Order,
    inputs::{
        fetch::Fetcher,
        lock::{Input, Kind, Lock},
        python::{Python, lock_of},
        wheel::{self, Content, Places, WheelFile},
    },
    progress,
};

/// Adds all pins, and returns them.
pub(super) fn add(
    tree: &mut Tree,
    python: &Python,
    recipe: &Path,
    fetcher: &Fetcher,
    bytecode: impl FnOnce(&Order<'_>) -> Result<PathBuf, Error>,
) -> Result<Vec<Input>, Error> {
    let lock = lock_of(recipe);
    let pins = Lock::read(&lock)?.input;
    fetcher.fetch_all("the interpreter and its wheels", &pins)?;
    let mut packages = Packages::new(fetcher);
    let of_kind = |kind| pins.iter().filter(move |pin| pin.kind == kind);
    for pin in of_kind(Kind::Deb) {
        tree.package(packages.deb(pin)?, |path| python.takes(path))?;
    }
    let places = Places {
        site: python.site(),
        prefix: "usr/local".into(),
        interpreter: python.interpreter(),
    };
    for pin in of_kind(Kind::Wheel) {
        let path = fetcher.fetch(pin)?;
        let what = format!("reading {} {}", pin.package, pin.version);
        let files = progress::during(&what, || wheel::files(&pin.name, &path, &places))?;
        let taken = |file: &WheelFile| python.takes(&file.path) && !is_bytecode(&file.path);
        for file in files.into_iter().filter(taken) {
            wheel_file(tree, file)?;
        }
    }
    let made = bytecode(&Order {
        python,
        pins: &pins,
        lock: &lock,
        sources: &|folder| lay_out(tree, folder),
    })?;
    compiled(tree, &made, "")?;
    Ok(pins)
}

/// Puts the modules into a folder as they lie on the disk.
fn lay_out(tree: &Tree, folder: &Path) -> Result<(), Error> {
    for (path, node) in tree.nodes() {
        let Node::File { bytes, .. } = node else {
            continue;
        };
        if Path::new(path).extension().is_none_or(|end| end != "py") {
            continue;
        }
        let place = folder.join(path);
        let above = place.parent().unwrap_or(folder);
        let copied = fs::create_dir_all(above)
            .and_then(|()| io::copy(&mut bytes.reader(), &mut File::create_new(&place)?));
        copied.map_err(Error::io("write", place))?;
    }
    Ok(())
}

/// Whether a wheel brings this bytecode of a module beside the module: it is made anew.
fn is_bytecode(path: &str) -> bool {
    path.contains("/__pycache__/")
}

/// Adds what was made of them.
fn compiled(tree: &mut Tree, folder: &Path, above: &str) -> Result<(), Error> {
    let failed = || Error::io("read", folder);
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let path = format!("{above}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(failed())?.is_dir() {
            compiled(tree, &entry.path(), &format!("{path}/"))?;
        } else {
            tree.file_at(&path, 0o644, entry.path())?;
        }
    }
    Ok(())
}

/// Wheels of one family bring the same empty files along; others must not overwrite each other.
fn wheel_file(tree: &mut Tree, file: WheelFile) -> Result<(), Error> {
    let mode = mode_of(file.executable);
    match file.content {
        Content::Changed(bytes) => tree.file(&file.path, mode, bytes),
        Content::Zipped(zipped) => {
            let there = tree.at(&format!("/{}", file.path));
            let same = matches!(there, Some(Node::File { bytes: Bytes::Zipped(other), .. }) if zipped.equals(other));
            if same {
                return Ok(());
            }
            tree.zipped(&file.path, mode, zipped)
        }
    }
}
