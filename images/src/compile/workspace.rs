//! A checkout of this workspace, and cargo in it as measured programs are compiled: inside a [`Chamber`] of the pinned
//! toolchain, with the pinned rustc, where sources, crates and output lie at the same places on every machine. What
//! cargo needs from a network is fetched before, outside, as the user's own configuration says.

use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    binaries::Binaries,
    cargo,
    chamber::Chamber,
    crates::Crates,
    rust::{self, HINT, Rustc},
    toolchain::Toolchain,
};
use crate::{
    Error,
    inputs::{
        fetch::Fetcher,
        recipe::{Binary, Linkage},
    },
    manifest,
};

pub(super) use super::crates::root;

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

/// A checkout, its toolchain, and what cargo says about it.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    rustc: Rustc,
    crates: Crates,
    toolchain: Toolchain,
}

impl Workspace {
    /// The workspace around a file, such as a recipe. Fetches what its Cargo.lock and its toolchain's lock name.
    pub fn around(path: &Path, fetcher: &Fetcher) -> Result<Self, Error> {
        let root = &root(path)?;
        let toolchain = Toolchain::prepare(&root.join(TOOLCHAIN), fetcher)?;
        let rustc = Rustc::of(root)?;
        rustc.check(toolchain.pin(rust::PACKAGE)?)?;
        let crates = Crates::of(root, TARGET)?;
        Ok(Self {
            root: root.to_owned(),
            target: crates.target_directory().join("image"),
            rustc,
            crates,
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
        let chamber = Chamber::of(&self.toolchain)?
            .read(&self.root, SOURCE)
            .write(&self.target, OUTPUT)
            .read(&self.rustc.sysroot, RUST);
        let chamber = self
            .crates
            .shown(chamber)
            .with("PATH", format!("{RUST}/bin:/usr/bin"))
            .with("CARGO_TARGET_DIR", output)
            .with("CARGO_BUILD_TARGET", TARGET)
            .with("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .with("CFLAGS", c_flags.join(" "))
            .with("CXXFLAGS", c_flags.join(" "))
            .with("CC", "gcc")
            .with("CXX", "g++")
            // Overrides what a user's cargo configuration may say.
            .with("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "gcc");
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
            (package.clone(), self.crates.version(package))
        });
        let toolchain = manifest::Toolchain {
            rustc: format!("{} {}", self.rustc.release, self.rustc.commit),
            c_compiler: format!("{C_COMPILER} {}", self.toolchain.pin(C_COMPILER)?.version),
            c_library: self.toolchain.pin(C_LIBRARY)?.sha256,
        };
        Binaries::built(&folder, programs, toolchain, self.toolchain.pins())
    }

    /// Every path inside that may differ between machines, and what stands in a program instead.
    fn prefixes(&self) -> Vec<(String, String)> {
        let library = format!("{RUST}/lib/rustlib/src/rust");
        let library = (library, format!("/rustc/{}", self.rustc.commit));
        let mut prefixes = self.crates.prefixes();
        prefixes.push(library);
        prefixes
    }
}
