//! What is packed, as others read it: dpkg in a clean Debian, systemd, skopeo and podman.

mod deb;
mod oci;
mod units;

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The built chrysalis-host; a test without one is skipped.
fn host() -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_BIN_EXE_chrysalis-package")).with_file_name("chrysalis-host");
    let host = env::var_os("CHRYSALIS_TOOLS")
        .map_or(built, |tools| PathBuf::from(tools).join("chrysalis-host"));
    let is_there = host.is_file();
    if !is_there {
        chrysalis_test_support::skip("chrysalis-host is not built");
    }
    is_there.then_some(host)
}

/// A folder with a clean Debian, which scripts/test-packages makes; a test without one is skipped.
fn debian() -> Option<PathBuf> {
    let root = env::var_os("CHRYSALIS_DEBIAN").map(PathBuf::from);
    if root.is_none() {
        chrysalis_test_support::skip("no clean Debian: make test-packages");
    }
    root
}

fn package(words: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chrysalis-package"));
    command.args(words).output().expect("it starts")
}

/// What a command prints.
///
/// # Panics
/// When it fails.
fn printed(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let out = said(&output.stdout);
    assert!(
        output.status.success(),
        "{command:?}: {out}{}",
        said(&output.stderr)
    );
    out
}

fn has(program: &str) -> bool {
    let found = Command::new("which")
        .arg(program)
        .output()
        .is_ok_and(|it| it.status.success());
    if !found {
        chrysalis_test_support::skip(format!("{program} is not here"));
    }
    found
}

/// Every file under a folder, with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in std::fs::read_dir(here).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is inside").to_owned();
                found.push((name, std::fs::read(&path).expect("a file")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn refuses_what_cannot_be_packed_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.deb");
    let own = Path::new(env!("CARGO_BIN_EXE_chrysalis-package"));
    let script = folder.path().join("chrysalis-host");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    for (program, what) in [
        (Path::new("/nowhere/chrysalis-host"), "hint: build it"),
        (&script, "no program for x86-64"),
        (own, "chrysalis-package is none of chrysalis-host"),
    ] {
        let refused = package(&["deb".as_ref(), program, "--out".as_ref(), &out]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(what) && said.contains("hint: "), "{said}");
        assert!(!out.exists());
    }
}
