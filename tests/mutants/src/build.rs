//! Builds the copy: the verifier's own tests, the program that the vectors ask, and the tests that ask it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::pulse::Pulse;

/// A program of tests.
#[derive(Debug, Clone)]
pub struct Tests {
    /// How it is called here.
    pub name: &'static str,
    /// Where it is.
    pub program: PathBuf,
    /// Where it has to run: its package's folder.
    pub folder: PathBuf,
    /// What it is told, besides.
    pub arguments: &'static [&'static str],
}

/// What runs for each guard, the quickest to miss one first: name, package's folder, target, arguments.
const ORDER: &[(&str, &str, &str, &[&str])] = &[
    (
        "vectors",
        "tests",
        "vectors",
        &["every_vector_is_found_as_it_expects"],
    ),
    ("tdx", "attestation", "tdx", &[]),
    ("nvidia", "attestation", "nvidia", &[]),
    ("binding", "attestation", "binding", &[]),
    ("verifier", "attestation", "chrysalis_attestation", &[]),
    ("evidence", "tests", "evidence", &[]),
    ("composite", "tests", "composite", &[]),
    ("real", "attestation", "vectors", &[]),
];

/// Compiles it into `target`, and says what to run, in the order to run it.
pub fn build(tree: &Path, target: &Path) -> Result<Vec<Tests>> {
    // The first two leave the choice of packages to the workspace, so that what they share is compiled once.
    let commands: [&[&str]; 3] = [
        &["build", "--bin", "chrysalis"],
        &[
            "test",
            "--no-run",
            "--test=vectors",
            "--test=tdx",
            "--test=nvidia",
            "--test=binding",
            "--test=evidence",
            "--test=composite",
        ],
        &["test", "--no-run", "-p", "chrysalis-attestation", "--lib"],
    ];
    let mut found = BTreeMap::new();
    for arguments in commands {
        found.extend(cargo(tree, target, arguments)?);
    }
    let tests = ORDER.iter().map(|(name, package, test, arguments)| {
        let key = ((*package).to_owned(), (*test).to_owned());
        Ok(Tests {
            name,
            program: found
                .get(&key)
                .with_context(|| format!("cargo built no {test} of {package}"))?
                .clone(),
            folder: tree.join(package),
            arguments,
        })
    });
    tests.collect()
}

/// Programs of tests by their package's folder and target.
type Programs = Vec<((String, String), PathBuf)>;

fn cargo(tree: &Path, target: &Path, arguments: &[&str]) -> Result<Programs> {
    let mut child = Command::new("cargo")
        .args(arguments)
        .args(["--locked", "--message-format", "json"])
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo")?;
    let output = child.stdout.take().context("cargo's output")?;
    let mut found = Vec::new();
    let _pulse = Pulse::start("compiling");
    for line in BufReader::new(output).lines() {
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        // Switches make odd code, which the compiler warns of; errors alone are told.
        if message["message"]["level"] == "error" {
            let rendered = message["message"]["rendered"].as_str();
            eprint!("{}", rendered.unwrap_or_default());
        }
        let Some(program) = message["executable"].as_str() else {
            continue;
        };
        let manifest = Path::new(message["manifest_path"].as_str().unwrap_or_default());
        let package = manifest.parent().and_then(|it| it.strip_prefix(tree).ok());
        let package = package.unwrap_or(Path::new("")).to_string_lossy();
        let target = message["target"]["name"].as_str().unwrap_or_default();
        let key = (package.into_owned(), target.replace('-', "_"));
        found.push((key, PathBuf::from(program)));
    }
    if child.wait()?.success() {
        return Ok(found);
    }
    bail!(
        "the copy with a switch at each guard does not compile; it is in {}",
        tree.display()
    )
}
