//! What cargo says about a checkout of this workspace, and the crates that it fetched, shown inside a [`Chamber`]: at the same places on
//! every machine. What cargo needs from a network is fetched before, outside, as the user's own configuration says.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    chamber::Chamber,
    rust::{clean, output},
};
use crate::{Error, progress};

/// cargo's folder, inside.
const CARGO: &str = "/cargo";
/// What the user may decide inside: how busy the machine gets, and how the output looks.
const INSIDE: [&str; 2] = ["CARGO_BUILD_JOBS", "CARGO_TERM_COLOR"];

/// The crates of a workspace for one target.
pub(super) struct Crates {
    packages: Vec<Package>,
    target_directory: PathBuf,
    home: PathBuf,
}

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
    source: Option<String>,
}

/// The folder of the workspace around a file, such as a recipe.
pub(super) fn root(path: &Path) -> Result<PathBuf, Error> {
    let absolute = path.canonicalize().map_err(Error::io("read", path))?;
    let root = absolute
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").exists());
    root.map(Path::to_owned).ok_or_else(|| Error::Tool {
        program: "cargo".into(),
        problem: format!("has no workspace around {}", path.display()),
        hint: "name a folder of compiled programs with --binaries DIR",
    })
}

impl Crates {
    /// Asks cargo, which fetches what Cargo.lock names for this target.
    pub(super) fn of(root: &Path, target: &str) -> Result<Self, Error> {
        let mut command = clean("cargo", root);
        command.args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            target,
        ]);
        let metadata = progress::during("asking cargo for the crates", || output(command))?;
        let metadata: Metadata =
            serde_json::from_str(&metadata).map_err(|problem| Error::Tool {
                program: "cargo metadata".into(),
                problem: format!("printed something that does not parse: {problem}"),
                hint: "run it by hand to see what it prints",
            })?;
        Ok(Self {
            packages: metadata.packages,
            target_directory: metadata.target_directory,
            home: cargo_home()?,
        })
    }

    /// cargo's folder for output, outside.
    pub(super) fn target_directory(&self) -> &Path {
        &self.target_directory
    }

    /// A package's version; empty if there is none of this name.
    pub(super) fn version(&self, package: &str) -> String {
        let found = self.packages.iter().find(|found| found.name == package);
        found.map(|found| found.version.clone()).unwrap_or_default()
    }

    /// The chamber with the crates in it, and cargo told to use those alone.
    pub(super) fn shown(&self, mut chamber: Chamber) -> Chamber {
        chamber = chamber.read(&self.home.join("registry"), &format!("{CARGO}/registry"));
        // It may name another registry than crates.io to take the crates from; Cargo.lock has their digests.
        let configuration = self.home.join("config.toml");
        if configuration.exists() {
            chamber = chamber.read(&configuration, &format!("{CARGO}/config.toml"));
        }
        for variable in INSIDE {
            if let Some(value) = env::var_os(variable) {
                chamber = chamber.with(variable, value);
            }
        }
        chamber
            .with("CARGO_HOME", CARGO)
            .with("CARGO_NET_OFFLINE", "true")
            // Overrides what a user's cargo configuration may say.
            .with("RUSTC_WRAPPER", "")
            .with("RUSTC_WORKSPACE_WRAPPER", "")
    }

    /// Every path of a crate's source inside that may differ between machines, and what stands in a program instead: a mirror or a vendor
    /// folder has a name of its own for the registry, so cargo is asked.
    pub(super) fn prefixes(&self) -> Vec<(String, String)> {
        let outside = self
            .packages
            .iter()
            .filter(|package| package.source.is_some());
        let sources: BTreeSet<&Path> = outside
            .filter_map(|package| package.manifest_path.parent()?.parent())
            .filter_map(|folder| folder.strip_prefix(&self.home).ok())
            .collect();
        let inside = |folder: &Path| format!("{CARGO}/{}", folder.display());
        let sources = sources.into_iter();
        sources
            .map(|folder| (inside(folder), CARGO.to_owned()))
            .collect()
    }
}

/// Where cargo keeps what it fetched.
fn cargo_home() -> Result<PathBuf, Error> {
    let named = env::var_os("CARGO_HOME").filter(|value: &OsString| !value.is_empty());
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"));
    let folder = named.map(PathBuf::from).or_else(home).unwrap_or_default();
    folder.canonicalize().map_err(Error::io("read", folder))
}
