//! A checkout of this workspace, and cargo in it as measured programs are compiled: inside a [`Chamber`] of the pinned
//! toolchain, with the pinned rustc, where sources, crates and output lie at the same places on every machine. What
//! cargo needs from a network is fetched before, outside, as the user's own configuration says.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use super::{
    binaries::Binaries,
    cargo,
    chamber::Chamber,
    rust::{self, HINT, Rustc, clean, output},
    toolchain::Toolchain,
};
use crate::{
    Error,
    inputs::{
        fetch::Fetcher,
        recipe::{Binary, Linkage},
    },
    manifest, progress,
};

/// The only platform that has measured programs.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The recipe of the toolchain, in the workspace.
pub const TOOLCHAIN: &str = "images/toolchain.toml";
/// The packages that the facts about a build name.
const C_COMPILER: &str = "gcc-14";
const C_LIBRARY: &str = "libc6-dev";
/// Where things are inside.
const SOURCE: &str = "/chrysalis";
const OUTPUT: &str = "/target";
/// Below it, what is linked dynamically: the same libraries with other flags.
const DYNAMIC: &str = "dynamic";
const RUST: &str = "/rust";
const CARGO: &str = "/cargo";
/// What the user may decide inside: how busy the machine gets, and how the output looks.
const INSIDE: [&str; 2] = ["CARGO_BUILD_JOBS", "CARGO_TERM_COLOR"];

/// A checkout, its toolchain, and what cargo says about it.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    cargo_home: PathBuf,
    rustc: Rustc,
    packages: Vec<Package>,
    toolchain: Toolchain,
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

impl Workspace {
    /// The workspace around a file, such as a recipe. Fetches what its Cargo.lock and its toolchain's lock name.
    pub fn around(path: &Path, fetcher: &Fetcher) -> Result<Self, Error> {
        let root = &root(path)?;
        let toolchain = Toolchain::prepare(&root.join(TOOLCHAIN), fetcher)?;
        let rustc = Rustc::of(root)?;
        rustc.check(toolchain.pin(rust::PACKAGE)?)?;
        let mut command = clean("cargo", root);
        command.args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            TARGET,
        ]);
        let metadata = progress::during("asking cargo for the crates", || output(command))?;
        let metadata: Metadata =
            serde_json::from_str(&metadata).map_err(|problem| Error::Tool {
                program: "cargo metadata".into(),
                problem: format!("printed something that does not parse: {problem}"),
                hint: "run it by hand to see what it prints",
            })?;
        Ok(Self {
            root: root.to_owned(),
            target: metadata.target_directory.join("image"),
            cargo_home: cargo_home()?,
            rustc,
            packages: metadata.packages,
            toolchain,
        })
    }

    /// cargo with the environment and flags of measured programs.
    pub fn cargo(&self, linkage: Linkage) -> Result<Command, Error> {
        let (linked, output) = match linkage {
            Linkage::Static => ("+", OUTPUT.to_owned()),
            Linkage::Dynamic => ("-", format!("{OUTPUT}/{DYNAMIC}")),
        };
        let mut flags = vec![
            format!("-Ctarget-feature={linked}crt-static"),
            "-Ctarget-cpu=x86-64-v3".to_owned(),
        ];
        let mut c_flags = Vec::new();
        for (from, to) in self.prefixes() {
            flags.push(format!("--remap-path-prefix={from}={to}"));
            c_flags.push(format!("-ffile-prefix-map={from}={to}"));
        }
        fs::create_dir_all(&self.target).map_err(Error::io("create", &self.target))?;
        let mut chamber = Chamber::of(&self.toolchain)?
            .read(&self.root, SOURCE)
            .write(&self.target, OUTPUT)
            .read(&self.rustc.sysroot, RUST)
            .read(
                &self.cargo_home.join("registry"),
                &format!("{CARGO}/registry"),
            );
        // It may name another registry than crates.io to take the crates from; Cargo.lock has their digests.
        let configuration = self.cargo_home.join("config.toml");
        if configuration.exists() {
            chamber = chamber.read(&configuration, &format!("{CARGO}/config.toml"));
        }
        for variable in INSIDE {
            if let Some(value) = env::var_os(variable) {
                chamber = chamber.with(variable, value);
            }
        }
        let chamber = chamber
            .with("PATH", format!("{RUST}/bin:/usr/bin"))
            .with("CARGO_HOME", CARGO)
            .with("CARGO_NET_OFFLINE", "true")
            .with("CARGO_TARGET_DIR", output)
            .with("CARGO_BUILD_TARGET", TARGET)
            .with("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .with("CFLAGS", c_flags.join(" "))
            .with("CXXFLAGS", c_flags.join(" "))
            .with("CC", "gcc")
            .with("CXX", "g++")
            // Overrides what a user's cargo configuration may say.
            .with("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "gcc")
            .with("RUSTC_WRAPPER", "")
            .with("RUSTC_WORKSPACE_WRAPPER", "");
        Ok(chamber.command("cargo", SOURCE))
    }

    /// Compiles the programs of these packages, and records what compiled them. One after the other: cargo would build what two
    /// of them share with the features of both, and a program's bytes must not depend on what is built with it.
    pub fn build(&self, wanted: &[Binary]) -> Result<Binaries, Error> {
        let release = |target: &Path| target.join(TARGET).join("release");
        let folder = release(&self.target);
        for Binary {
            package, linkage, ..
        } in wanted
        {
            let mut command = self.cargo(*linkage)?;
            command.args(["build", "--release", "--locked", "--package", package]);
            // cargo writes into a pipe here, and would take that for no terminal.
            if io::stderr().is_terminal() {
                command.arg("--color=always");
            }
            cargo::run(package, &mut command, HINT)?;
            if *linkage == Linkage::Dynamic {
                let from = release(&self.target.join(DYNAMIC)).join(package);
                fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
                fs::copy(&from, folder.join(package)).map_err(Error::io("copy", from))?;
            }
        }
        let programs = wanted.iter().map(|program| {
            let package = &program.package;
            let found = self.packages.iter().find(|found| found.name == *package);
            let version = found.map(|found| found.version.clone()).unwrap_or_default();
            (package.clone(), version)
        });
        let toolchain = manifest::Toolchain {
            rustc: format!("{} {}", self.rustc.release, self.rustc.commit),
            c_compiler: format!("{C_COMPILER} {}", self.toolchain.pin(C_COMPILER)?.version),
            c_library: self.toolchain.pin(C_LIBRARY)?.sha256,
        };
        Binaries::built(&folder, programs, toolchain, self.toolchain.pins())
    }

    /// Every path inside that may differ between machines, and what stands in a program instead: a mirror or a vendor folder
    /// has a name of its own for the registry, so cargo is asked.
    fn prefixes(&self) -> Vec<(String, String)> {
        let outside = self
            .packages
            .iter()
            .filter(|package| package.source.is_some());
        let sources: BTreeSet<&Path> = outside
            .filter_map(|package| package.manifest_path.parent()?.parent())
            .filter_map(|folder| folder.strip_prefix(&self.cargo_home).ok())
            .collect();
        let sources = sources.into_iter().map(|folder| {
            let folder = format!("{CARGO}/{}", folder.display());
            (folder, CARGO.to_owned())
        });
        let library = format!("{RUST}/lib/rustlib/src/rust");
        let library = (library, format!("/rustc/{}", self.rustc.commit));
        sources.chain([library]).collect()
    }
}

/// Where cargo keeps what it fetched.
fn cargo_home() -> Result<PathBuf, Error> {
    let named = env::var_os("CARGO_HOME").filter(|value: &OsString| !value.is_empty());
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"));
    let folder = named.map(PathBuf::from).or_else(home).unwrap_or_default();
    folder.canonicalize().map_err(Error::io("read", folder))
}
