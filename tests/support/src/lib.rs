//! What tests of every room share: the real evidence on this machine, and the count of what was skipped.

#![forbid(unsafe_code)]

pub mod postgres;

use std::{
    collections::BTreeMap,
    env,
    fmt::Display,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
};

/// The folder with all the real evidence that this machine has, if everything in `needs`, files or folders of it, is there.
/// Otherwise the test is skipped.
pub fn real(needs: &[&str]) -> Option<PathBuf> {
    let folder = folder();
    if needs.iter().all(|need| folder.join(need).exists()) {
        return Some(folder.to_owned());
    }
    skip(NOT_SHIPPED);
    None
}

/// The same folder, whatever it has.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(gather)
}

/// Why a test of real evidence is skipped, in whole or in part.
pub const NOT_SHIPPED: &str = "real evidence that is not shipped: scripts/vectors";

/// Whether Node is here. Otherwise the test is skipped.
pub fn has_node() -> bool {
    let version = Command::new("node")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let here = version.is_ok_and(|status| status.success());
    if !here {
        skip("no Node here");
    }
    here
}

/// Says that the calling test is skipped, in whole or in part, and why. `make test` counts it.
pub fn skip(why: impl Display) {
    println!("skipped: {why}");
    let Some(list) = env::var_os("CHRYSALIS_SKIPPED") else {
        return;
    };
    let program = env::current_exe().unwrap_or_default();
    let test = thread::current().name().unwrap_or_default().to_owned();
    // One write, so that tests of several programs do not mix their lines.
    let line = format!("{}\t{test}\t{why}\n", program.display());
    let list = OpenOptions::new().append(true).create(true).open(list);
    let written = list.and_then(|mut list| list.write_all(line.as_bytes()));
    written.expect("the list of skipped tests can be written");
}

/// Compares a file with what a test made of it, or writes it anew where the environment has `UPDATE_VECTORS`.
#[track_caller]
pub fn same_as_committed(path: &Path, text: &str) {
    if env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(path, text).expect("the file can be written");
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    let name = path.display();
    assert_eq!(committed, text, "{name}: UPDATE_VECTORS=1 makes it anew");
}

/// One folder of links to what is shipped, what `scripts/vectors` got, and what lies next to the checkout. The first that has a
/// file counts.
fn gather() -> PathBuf {
    let root = checkout();
    let folder = root.join("build/tests/real");
    let mut wanted = BTreeMap::new();
    for (place, below) in [
        ("tests/vectors/real", ""),
        ("build/vectors", ""),
        ("../shared/vectors", ""),
        ("../shared/cases/evidence", "cases"),
    ] {
        for file in files(&root.join(place)) {
            let name = file.strip_prefix(root.join(place)).expect("a file in it");
            wanted.entry(folder.join(below).join(name)).or_insert(file);
        }
    }
    for link in files(&folder) {
        if wanted.get(&link) != fs::read_link(&link).ok().as_ref() {
            // Another program of tests may have been faster.
            let _ = fs::remove_file(&link);
        }
    }
    for (link, file) in &wanted {
        if !link.is_symlink() {
            fs::create_dir_all(link.parent().expect("a folder")).expect("room in build/");
            let _ = symlink(file, link);
        }
    }
    folder
}

/// The checkout whose tests run. Asked of cargo now: another checkout may have compiled this file into the same target folder.
fn checkout() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let package = package.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let is_checkout = |folder: &&Path| folder.join("tests/support/Cargo.toml").exists();
    let root = package.ancestors().find(is_checkout);
    root.expect("the checkout").to_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.flat_map(|entry| {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files(&entry.path())
        } else {
            vec![entry.path()]
        }
    });
    found.collect()
}
