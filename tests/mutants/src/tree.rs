//! The copy of the tree that is changed: tracked files and new ones as they are now, and nothing that git ignores.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::guard::{self, Guard, SOURCE};

/// What a switch asks. It stands in the copy only: the verifier itself reads no environment.
const SWITCH: &str = r#"
/// Whether this guard is off.
fn off(name: &str) -> bool {
    static OFF: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("CHRYSALIS_GUARD_OFF").ok());
    OFF.as_deref() == Some(name)
}
"#;

/// What no test of the verifier reads: this program, and texts for people.
const OF_NO_TEST: [&str; 2] = ["tests/mutants/", "docs/"];

/// A copy with a switch at each guard.
pub struct Copy {
    /// Where it is.
    pub folder: PathBuf,
    /// Of what may decide a test: results of another tree do not count.
    pub fingerprint: u64,
}

/// Brings the copy below `build` to what `root` is now, and puts the switches in. Files that stay the same are left alone, so that
/// little is compiled again.
pub fn copy(root: &Path, build: &Path, guards: &[Guard]) -> Result<Copy> {
    let folder = build.join("tree");
    let mut files = Vec::new();
    for name in listed(root)? {
        let path = root.join(&name);
        if path.is_file() {
            files.push((name, fs::read(&path)?));
        }
    }
    let switched = guard::switched(root, guards)?;
    for (name, bytes) in &mut files {
        let of_the_source = name
            .strip_prefix(SOURCE)
            .map(|it| it.trim_start_matches('/'));
        let changed = switched
            .iter()
            .find(|(file, _)| Some(file.as_str()) == of_the_source);
        if let Some((_, text)) = changed {
            *bytes = text.clone().into_bytes();
        }
        if of_the_source == Some("lib.rs") {
            bytes.extend(SWITCH.bytes());
        }
    }
    let mut hasher = DefaultHasher::new();
    for (name, bytes) in &files {
        if !OF_NO_TEST.iter().any(|folder| name.starts_with(folder)) {
            (name, bytes).hash(&mut hasher);
        }
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|old| old == *bytes) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        fs::set_permissions(&path, fs::metadata(root.join(name))?.permissions())?;
    }
    remove_others(&folder, &folder, &files)?;
    link_shared(root, build)?;
    Ok(Copy {
        folder,
        fingerprint: hasher.finish(),
    })
}

/// Below the root, in order.
fn listed(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("git ls-files")?;
    ensure!(output.status.success(), "git ls-files failed");
    let text = String::from_utf8(output.stdout)?;
    let mut names: Vec<_> = text.split_terminator('\0').map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Removes what was copied once and is not there any more.
fn remove_others(top: &Path, folder: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(top, &path, files)?;
            continue;
        }
        let name = path.strip_prefix(top)?.to_string_lossy();
        if files
            .binary_search_by(|(known, _)| known.as_str().cmp(&name))
            .is_err()
        {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Real evidence lies next to the tree, if there is any; the copy has it next to it too.
fn link_shared(root: &Path, build: &Path) -> Result<()> {
    let (shared, link) = (root.join("../shared"), build.join("shared"));
    if shared.is_dir() && !link.exists() {
        symlink(shared.canonicalize()?, link)?;
    }
    Ok(())
}
