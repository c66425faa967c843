//! What lies where on a machine that has the programs: they, the units of those that are there, and the user they run as.

use std::path::PathBuf;

use anyhow::{bail, ensure};

use crate::{archive::Tree, program::Program};

/// The programs that can be packed, with their units.
const PROGRAMS: [(&str, &[(&str, &str)]); 3] = [
    (
        "chrysalis-host",
        &[
            (
                "chrysalis-host@.service",
                include_str!("../units/chrysalis-host@.service"),
            ),
            (
                "chrysalis-cashier.service",
                include_str!("../units/chrysalis-cashier.service"),
            ),
        ],
    ),
    (
        "chrysalis-directory",
        &[(
            "chrysalis-directory.service",
            include_str!("../units/chrysalis-directory.service"),
        )],
    ),
    // Kubernetes starts it.
    ("chrysalis-fleet", &[]),
];
/// The rest.
const FILES: [(&str, &str); 4] = [
    (
        "usr/lib/sysusers.d/chrysalis.conf",
        include_str!("../files/sysusers.conf"),
    ),
    (
        "usr/lib/udev/rules.d/60-chrysalis.rules",
        include_str!("../files/udev.rules"),
    ),
    (
        "usr/share/doc/chrysalis-host/copyright",
        include_str!("../files/copyright"),
    ),
    (
        "usr/share/doc/chrysalis-host/examples/host.toml",
        include_str!("../files/host.toml"),
    ),
];

/// What is packed.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) programs: Vec<Program>,
}

impl Contents {
    /// Reads the programs: chrysalis-host, and no stranger.
    pub(crate) fn of(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut programs: Vec<Program> = Vec::new();
        for path in paths {
            let program = Program::read(path)?;
            if !PROGRAMS.iter().any(|(name, _)| *name == program.name) {
                bail!(
                    "{} is none of {}\nhint: name programs of this project by their own names",
                    program.name,
                    PROGRAMS.map(|(name, _)| name).join(", ")
                );
            }
            ensure!(
                programs.iter().all(|other| other.name != program.name),
                "{} is named twice",
                program.name
            );
            programs.push(program);
        }
        ensure!(
            programs
                .iter()
                .any(|program| program.name == "chrysalis-host"),
            "there is no chrysalis-host\nhint: name it as well: the package is called after it"
        );
        programs.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { programs })
    }

    /// The programs alone.
    pub(crate) fn programs(&self) -> Tree {
        let mut tree = Tree::default();
        for program in &self.programs {
            let at = format!("usr/bin/{}", program.name);
            tree.file(&at, program.bytes.clone(), 0o755);
        }
        tree
    }

    /// All of it.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = self.programs();
        for (name, units) in PROGRAMS {
            if self.programs.iter().any(|program| program.name == name) {
                for (unit, text) in units {
                    tree.file(&format!("usr/lib/systemd/system/{unit}"), *text, 0o644);
                }
            }
        }
        for (at, text) in FILES {
            tree.file(at, text, 0o644);
        }
        tree
    }
}
