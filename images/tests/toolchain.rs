//! The toolchain: packages of a lock become a root, once, whole, and nothing else gets in.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod workbench;

use std::{fs, path::PathBuf};

use chrysalis_image::{
    Error,
    compile::{
        chamber::Chamber,
        toolchain::{Toolchain, lock_of},
    },
};
use workbench::{Workbench, deb};

/// A bench whose lock is a toolchain's.
fn bench() -> (Workbench, PathBuf) {
    let mut bench = Workbench::new();
    bench.lock.input.clear();
    bench.publish("gcc", &deb(&[("./usr/bin/gcc", b"a compiler")]));
    bench.publish("libc6", &deb(&[("./lib64/ld.so", b"a loader")]));
    let recipe = bench.path("recipes/toolchain.toml");
    wish(&bench, r#"["gcc"]"#);
    fs::write(lock_of(&recipe), bench.lock.render()).unwrap();
    (bench, recipe)
}

fn wish(bench: &Workbench, packages: &str) {
    let text = format!("suite = \"trixie\"\npackages = {packages}\n");
    bench.write("recipes/toolchain.toml", text.as_bytes());
}

#[test]
fn unpacks_every_package_and_makes_the_links_that_scripts_would() {
    let (bench, recipe) = bench();
    let toolchain = Toolchain::prepare(&recipe, &bench.fetcher()).unwrap();
    let read = |path: &str| fs::read(toolchain.root().join(path)).unwrap();
    assert_eq!(read("usr/bin/cc"), b"a compiler");
    assert_eq!(read("bin/gcc"), b"a compiler");
    assert_eq!(read("usr/lib64/ld.so"), b"a loader");
    assert_eq!(toolchain.pins(), bench.lock.input);
}

#[test]
fn needs_the_mirror_once() {
    let (bench, recipe) = bench();
    let first = Toolchain::prepare(&recipe, &bench.fetcher()).unwrap();
    fs::remove_dir_all(bench.path("archive")).unwrap();
    fs::remove_dir_all(bench.path("cache/inputs")).unwrap();
    let second = Toolchain::prepare(&recipe, &bench.fetcher()).unwrap();
    assert_eq!(first.root(), second.root());
}

#[test]
fn refuses_a_recipe_that_wants_what_is_not_locked() {
    let (bench, recipe) = bench();
    wish(&bench, r#"["gcc", "cmake"]"#);
    let error = Toolchain::prepare(&recipe, &bench.fetcher()).unwrap_err();
    assert!(matches!(error, Error::NotLocked { input, .. } if input == "cmake"));
}

#[test]
fn leaves_no_root_when_a_package_is_wrong() {
    let (bench, recipe) = bench();
    bench.write("archive/pool/main/libc6.deb", b"other bytes");
    let error = Toolchain::prepare(&recipe, &bench.fetcher()).unwrap_err();
    assert!(matches!(error, Error::Truncated { what, .. } if what.starts_with("libc6")));
    assert_eq!(fs::read_dir(bench.path("cache/roots")).unwrap().count(), 0);
}

#[test]
fn refuses_to_compile_in_a_root_where_nothing_runs() {
    let (bench, recipe) = bench();
    let toolchain = Toolchain::prepare(&recipe, &bench.fetcher()).unwrap();
    let error = Chamber::of(&toolchain).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Tool { program, .. } if program == "bwrap"));
    assert!(text.contains("--binaries DIR"), "{text}");
}
