//! What others read of the program: the definition that the chart installs, and the commands of the guide.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{env, fs, path::Path, process::Command};

#[test]
fn the_chart_has_the_definition_that_the_program_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_chrysalis-fleet"))
        .arg("crd")
        .output()
        .unwrap();
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/chrysalis/crds/chrysalisfleets.yaml");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &printed).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == printed,
        "UPDATE_DOCS=1 cargo test -p chrysalis-fleet --test program writes {}",
        path.display()
    );
}

/// Clap gives help only for a command line without unknown words and wrong values before `--help`.
#[test]
fn every_command_in_the_guide_is_one() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/fleet.md");
    let guide = fs::read_to_string(guide).unwrap().replace("\\\n", " ");
    let mut parsed = 0;
    for line in guide.lines() {
        let Some(words) = line.strip_prefix("$ chrysalis-fleet ") else {
            continue;
        };
        let words = words.split(" | ").next().unwrap().split_whitespace();
        let output = Command::new(env!("CARGO_BIN_EXE_chrysalis-fleet"))
            .args(words)
            .arg("--help")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        parsed += 1;
    }
    assert!(parsed >= 2, "the guide shows {parsed} commands");
}
