//! Where the evidence lies, and what the folder beside each piece says of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrysalis_attestation::{Refusal, Rejection};
use chrysalis_test_support::{NOT_SHIPPED, skip};
use serde_json::Value;

/// The folder of one vendor's evidence, if everything in `needs` is on this machine.
pub(crate) fn shelf(name: &str, needs: &[&str]) -> Option<PathBuf> {
    let needs: Vec<_> = needs.iter().map(|need| format!("{name}/{need}")).collect();
    let needs: Vec<_> = needs.iter().map(String::as_str).collect();
    Some(chrysalis_test_support::real(&needs)?.join(name))
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

/// The folders inside, by their names. Of evidence that is not shipped only expected.json is.
pub(crate) fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let (mut folders, left): (Vec<_>, Vec<_>) = paths
        .filter(|path| path.is_dir())
        .partition(|path| fs::read_dir(path).expect("a folder").count() > 1);
    if !left.is_empty() {
        skip(NOT_SHIPPED);
    }
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
