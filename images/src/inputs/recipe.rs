//! Recipes: what a person writes to say what an image is made of. Strict: an unknown key is an error.

use std::path::Path;

use serde::Deserialize;
use toml::value::Datetime;

use super::names::is_inside;
use crate::{Error, files::read_toml};

/// x86's `COMMAND_LINE_SIZE` less its final zero and the longest words that the build adds.
const MAX_COMMANDLINE: usize = 1800;

/// The recipe of an image, such as images/cpu.toml.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecipe {
    /// What the image is called.
    pub name: String,
    /// The kernel's command line. Ends in `--`: what follows is the enclave's own arguments.
    pub commandline: String,
    /// The day of the build, such as `2026-11-29`: an enclave refuses a clock set to an earlier day.
    pub not_before: String,
    /// Empty directories of the initrd, to mount on.
    pub directories: Vec<String>,
    /// The kernel.
    pub kernel: KernelRecipe,
    /// The firmware that runs in front of it on SNP hardware.
    pub firmware: Source,
    /// The firmware that runs in front of it on TDX hardware; without it the image is for SNP alone.
    #[serde(rename = "firmware-tdx")]
    pub firmware_tdx: Option<Source>,
    /// Programs of this workspace.
    pub binary: Vec<Binary>,
    /// A disk with a GPU's driver, for images that have one.
    pub driver: Option<DriverRecipe>,
}

/// A kernel that is compiled here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelRecipe {
    /// The input's name in the lock: a package with the kernel's source.
    pub input: String,
    /// The archive in it, whose name is that of the folder inside.
    pub source: String,
    /// The folder next to the recipe that has patches, the table of ACPI bytecode, and options.
    pub folder: String,
    /// Files of options in that folder; of two that disagree, the later one counts.
    pub options: Vec<String>,
}

/// A read-only disk whose dm-verity root is on the measured command line: kernel modules that are built here, and what
/// they and their user space need.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverRecipe {
    /// The modules to build and keep, in the order in which the enclave loads them.
    pub modules: Vec<String>,
    /// What they are built from.
    pub source: ModuleSource,
    /// Files of pinned inputs.
    pub file: Vec<DriverFile>,
    /// Programs of this workspace, linked against the C library on the disk.
    #[serde(default)]
    pub binary: Vec<Binary>,
}

/// The source of kernel modules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleSource {
    /// The input's name in the lock.
    pub input: String,
    /// The folder in it that has the Makefile.
    pub path: String,
    /// What is corrected before the build.
    #[serde(default)]
    pub edit: Vec<Edit>,
}

/// One correction: a text that occurs in a file exactly once, and its replacement.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The file, below the source's folder.
    pub file: String,
    /// The text.
    pub from: String,
    /// What replaces it.
    pub to: String,
}

/// A file of a pinned input and its place on the disk.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverFile {
    /// The input's name in the lock, or in the toolchain's.
    pub input: String,
    /// The file in it. One `*` stands for a part that changes with the version.
    pub from: String,
    /// Its path on the disk.
    pub to: String,
}

/// One file of a pinned input.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The input's name in the lock.
    pub input: String,
    /// The file in it. One `*` stands for a part that changes with the version.
    pub path: String,
}

/// A program of this workspace and its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// The cargo package, which has one program of the same name.
    pub package: String,
    /// Its path from the root of the initrd, or of the driver's disk.
    pub path: String,
    /// How it is linked.
    #[serde(default)]
    pub linkage: Linkage,
}

/// How a program is linked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Linkage {
    /// Whole: it needs no other file.
    #[default]
    Static,
    /// Against the C library of the toolchain, which must be where the program is: only so can it load other libraries.
    Dynamic,
}

/// The recipe of the toolchain, such as images/toolchain.toml.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolchainRecipe {
    /// The Debian suite to take it from.
    pub suite: String,
    /// Packages; what they depend on comes along.
    pub packages: Vec<String>,
}

impl Edit {
    /// The text of its file, corrected; what it replaces must be there once.
    pub(crate) fn correct(&self, input: &str, text: &str) -> Result<String, Error> {
        match text.matches(&self.from).count() {
            1 => Ok(text.replacen(&self.from, &self.to, 1)),
            found => Err(self.misfit(input, found)),
        }
    }

    /// What it replaces is there so often.
    pub(crate) fn misfit(&self, input: &str, found: usize) -> Error {
        Error::EditMisfit {
            input: input.into(),
            file: self.file.clone(),
            from: self.from.clone(),
            found,
        }
    }
}

impl ToolchainRecipe {
    /// Reads a recipe.
    pub fn read(path: &Path) -> Result<Self, Error> {
        read_toml(path)
    }
}

impl ImageRecipe {
    /// Reads and checks a recipe.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let recipe: Self = read_toml(path)?;
        match recipe.problem() {
            Some((key, problem)) => Err(Error::value(path, key, problem)),
            None => Ok(recipe),
        }
    }

    /// Every program of this workspace that it names.
    pub fn programs(&self) -> Vec<Binary> {
        let on_disk = self.driver.iter().flat_map(|driver| &driver.binary);
        self.binary.iter().chain(on_disk).cloned().collect()
    }

    /// The command line of a guest on hardware: the day of the build, and the word of the driver's disk, if there is one.
    pub fn hardware_line(&self, driver: &str) -> String {
        let Self {
            commandline,
            not_before,
            ..
        } = self;
        format!("{commandline} not_before={not_before}{driver}")
    }

    fn problem(&self) -> Option<(&'static str, &'static str)> {
        let printable = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let line = &self.commandline;
        let driver = self.driver.as_ref();
        let rules = [
            (
                !self.name.is_empty() && printable(&self.name),
                "name",
                "must be a printable word",
            ),
            (
                line.ends_with(" --"),
                "commandline",
                "must end in ` --`: the enclave's arguments follow",
            ),
            (
                printable(line) && line.len() <= MAX_COMMANDLINE,
                "commandline",
                "must be at most 1800 printable characters",
            ),
            (
                !["platform=", "driver=", "not_before="]
                    .iter()
                    .any(|word| line.contains(word)),
                "commandline",
                "must not name a platform, a driver's disk or a day: the build adds those words",
            ),
            (
                is_day(&self.not_before),
                "not_before",
                "must be a day, such as \"2026-11-29\"",
            ),
            (
                is_inside(&self.kernel.folder)
                    && self.kernel.options.iter().all(|path| is_inside(path)),
                "kernel",
                "must have a folder and options without `.`, `..` or a leading `/`",
            ),
            (
                self.directories.iter().all(|path| is_inside(path)),
                "directories",
                "must be paths without `.`, `..` or a leading `/`",
            ),
            (
                self.binary.iter().all(|binary| is_inside(&binary.path)),
                "binary.path",
                "must be a path without `.`, `..` or a leading `/`",
            ),
            (
                self.binary.iter().any(|binary| binary.path == "init"),
                "binary",
                "must contain one with path = \"init\": the kernel starts it",
            ),
            (
                self.binary
                    .iter()
                    .all(|binary| binary.linkage == Linkage::Static),
                "binary.linkage",
                "must be static: the initrd has no C library",
            ),
            (
                driver.is_none_or(|driver| {
                    driver.modules.iter().all(|name| {
                        !name.is_empty()
                            && name
                                .bytes()
                                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
                    })
                }),
                "driver.modules",
                "must be names of modules",
            ),
            (
                driver.is_none_or(|driver| {
                    let files = driver.file.iter().map(|file| &file.to);
                    let binaries = driver.binary.iter().map(|binary| &binary.path);
                    let edits = driver.source.edit.iter().map(|edit| &edit.file);
                    files
                        .chain(binaries)
                        .chain(edits)
                        .all(|path| is_inside(path))
                }),
                "driver",
                "must have paths without `.`, `..` or a leading `/`",
            ),
        ];
        rules
            .into_iter()
            .find(|(holds, ..)| !holds)
            .map(|(_, key, problem)| (key, problem))
    }
}

/// Whether this is a day of the calendar as RFC 3339 writes it.
fn is_day(text: &str) -> bool {
    let day = |date: Datetime| date.date.is_some() && date.time.is_none() && date.offset.is_none();
    text.parse().is_ok_and(day)
}
