//! The commit that a program is built of, for `--version`: as `CHRYSALIS_COMMIT` gives it, as the packaged crate has it, or as git says. A
//! build from the same commit says the same; one of which nobody knows the commit says its version alone.

use std::{env, fs, path::Path, process::Command};

/// As many digits as git needs to name any commit of a large project.
const SHOWN: usize = 12;

fn main() {
    println!("cargo::rerun-if-env-changed=CHRYSALIS_COMMIT");
    let given = env::var("CHRYSALIS_COMMIT").ok();
    let commit = given.or_else(packaged).or_else(of_git);
    let commit =
        commit.filter(|it| it.len() >= SHOWN && it.bytes().all(|it| it.is_ascii_hexdigit()));
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match commit.as_deref().and_then(|it| it.get(..SHOWN)) {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=CHRYSALIS_VERSION={version}");
}

/// What `cargo package` wrote down.
fn packaged() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    let mut words = rest.split('"');
    words.nth(1).map(str::to_owned)
}

fn of_git() -> Option<String> {
    // A package that was unpacked inside of another project is not of its commit.
    let workspace = Path::new("../../Cargo.toml");
    fs::exists(workspace).ok().filter(|it| *it)?;
    let commit = git(&["rev-parse", "HEAD"])?;
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    Some(commit)
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
