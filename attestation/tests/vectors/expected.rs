//! Where the evidence lies, and what the folder beside each piece says of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrysalis_attestation::{Refusal, Rejection};
use serde_json::Value;

/// The folder of one vendor's evidence, or nothing if it is not on this machine.
pub(crate) fn shelf(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/vectors")
        .join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no vectors");
    None
}

pub(crate) fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&bytes(path)).expect("JSON")
}

/// What a folder's `expected.json` says.
pub(crate) fn expected(folder: &Path) -> Value {
    json(folder.join("expected.json"))
}

/// The folders inside, by their names.
pub(crate) fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

pub(crate) fn name(folder: &Path) -> String {
    let name = folder.file_name().expect("a name");
    name.to_string_lossy().into_owned()
}

/// Everything that is wrong.
pub(crate) fn failures<T>(result: &Result<T, Refusal>) -> Vec<Rejection> {
    let refusal = result.as_ref().err();
    refusal.map_or_else(Vec::new, |refusal| refusal.rejections().cloned().collect())
}

/// The codes of everything that is wrong.
pub(crate) fn codes<T>(result: &Result<T, Refusal>) -> Vec<&'static str> {
    failures(result).iter().map(Rejection::code).collect()
}
