//! Everything that can go wrong, by name. Messages end with what to do next.

use std::{fmt::Write, io, path::PathBuf};

use crate::{digest::Sha256, models::NotModel};

/// Why there is no image, no weights, or no new lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// A verb, such as `read`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Its reason.
        reason: io::Error,
    },

    /// A recipe or a lock that is not the TOML expected; an unknown key is among the reasons.
    #[error("{} does not parse: {problem}hint: correct it; image.md, engines.md and models.md in docs/guide list every key", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line; ends in a line break.
        problem: Box<toml::de::Error>,
    },

    /// A value in a recipe or a lock that makes no sense.
    #[error("{}: {key} {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What is wrong with its value, and what it must be.
        problem: String,
    },

    /// The recipe names an input that the lock has no pin for.
    #[error(
        "the recipe names the input {input}, but {} has no pin for it\n\
         hint: add an [[input]] of that name to the lock, then run `make lock`",
        lock.display()
    )]
    NotLocked {
        /// The input's name in the recipe.
        input: String,
        /// The lock that was searched.
        lock: PathBuf,
    },

    /// The recipe takes as a package of one kind what the lock pins as another.
    #[error(
        "the recipe reads the input {input} as a {wanted}, but the lock pins a {locked}\n\
         hint: correct `kind` in the lock, or the input's name in the recipe"
    )]
    WrongKind {
        /// The input's name.
        input: String,
        /// The kind that the recipe can use.
        wanted: &'static str,
        /// The kind in the lock.
        locked: &'static str,
    },

    /// Bytes other than the pinned ones.
    #[error(
        "{what} is not what is pinned\nexpected SHA-256 {expected}\n     got SHA-256 {got}\n\
         hint: try another mirror (--mirror URL); if the pin itself is old, run `make lock`"
    )]
    WrongHash {
        /// Which file, from where.
        what: String,
        /// The pin.
        expected: Sha256,
        /// What the bytes hash to.
        got: Sha256,
    },

    /// A file of another length than the pinned one: nearly always a broken transfer.
    #[error(
        "{what} has {got} bytes instead of the pinned {expected}: the download was cut off\n\
         hint: run it again; nothing was kept"
    )]
    Truncated {
        /// Which file, from where.
        what: String,
        /// The pin.
        expected: u64,
        /// What came.
        got: u64,
    },

    /// No mirror has the input any more, or none answered.
    #[error("no mirror has {name} {version} ({file}){}\nhint: {hint}", list(tried))]
    Missing {
        /// The input's package.
        name: String,
        /// The pinned version.
        version: String,
        /// The pinned file.
        file: String,
        /// Where it was looked for, each with the answer.
        tried: Vec<String>,
        /// What helps for inputs of its kind.
        hint: &'static str,
    },

    /// The input has no such file, or several.
    #[error(
        "{input} has {found} files that match {pattern}; the recipe needs exactly one\n\
         hint: look at what the cached input contains, with `dpkg-deb -c` or `unzip -l`"
    )]
    NotOneFile {
        /// The input's name.
        input: String,
        /// What the recipe asks for.
        pattern: String,
        /// How many there are.
        found: usize,
    },

    /// A package that does not unpack.
    #[error(
        "{input} does not unpack: {problem}\nhint: run `make lock`: the bytes are the pinned ones, so the pin itself is wrong"
    )]
    BadPackage {
        /// The input's name.
        input: String,
        /// What the reader says.
        problem: String,
    },

    /// A line of options that cannot be read.
    #[error(
        "line {line} of {} has {problem}\nhint: write one option a line: NAME=value  # why it is on",
        path.display()
    )]
    KernelOption {
        /// The file of options.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },

    /// The kernel's own rules changed options.
    #[error(
        "the kernel does not accept these options:\n  {options}\n\
         hint: look them up in its Kconfig files: each depends on, or is selected by, others"
    )]
    KernelOptionsUnmet {
        /// What was wanted and what came out, a line each.
        options: String,
    },

    /// With this firmware a launch digest would cover no kernel, no initrd and no command line.
    #[error(
        "{path} of {input} has no table for kernel hashes: the host could start any kernel under the same launch digest\n\
         hint: use OVMF.amdsev.fd of the package ovmf-amdsev"
    )]
    NoKernelHashes {
        /// The input's name.
        input: String,
        /// The file in it.
        path: String,
    },

    /// TDX could not start this firmware, or it would refuse the kernel.
    #[error(
        "{path} of {input} has no TDX metadata, or no store of UEFI variables at its start\n\
         hint: use OVMF.inteltdx.ms.fd of the package ovmf-inteltdx"
    )]
    NotTdxFirmware {
        /// The input's name.
        input: String,
        /// The file in it.
        path: String,
    },

    /// The archive format has no room for it.
    #[error(
        "{path} does not fit into the initrd: {problem}\nhint: shorten its path, or take it out of the recipe"
    )]
    Unarchivable {
        /// The path in the initrd.
        path: String,
        /// The limit that it breaks.
        problem: &'static str,
    },

    /// Two files of a disk would be in one place.
    #[error(
        "{path} is on the disk twice, or lies below a file\nhint: correct one of the two in the recipe"
    )]
    Taken {
        /// The path on the disk.
        path: String,
    },

    /// Weights that cannot be served.
    #[error("{} is no model: {problem}", path.display())]
    NotModel {
        /// The file, the folder, or the recipe that led to it.
        path: PathBuf,
        /// Why; ends with what to do.
        problem: NotModel,
    },

    /// A card that a configuration needs, or its disk, is missing.
    #[error(
        "{} names the {what} {name}, but there is no {}\n\
         hint: make it with `chrysalis-image {what} RECIPE --out DIR`, or name its folder with --disks DIR",
        recipe.display(), path.display()
    )]
    NoCard {
        /// The recipe of the configuration.
        recipe: PathBuf,
        /// `engine` or `model`.
        what: &'static str,
        /// Its name.
        name: String,
        /// The missing file.
        path: PathBuf,
    },

    /// The library that writes file systems refused.
    #[error(
        "the disk cannot be made: {problem}\nhint: shorten the paths of the files in the recipe"
    )]
    Disk {
        /// Its reason.
        problem: String,
    },

    /// A correction that no longer fits the source.
    #[error(
        "{file} of {input} has {found} places that read {from:?}; the recipe's correction needs exactly one\n\
         hint: read the source, which changed with its version, then correct or drop the [[driver.source.edit]]"
    )]
    EditMisfit {
        /// The input's name.
        input: String,
        /// The file in it.
        file: String,
        /// The text that was looked for.
        from: String,
        /// How often it is there.
        found: usize,
    },

    /// The input has no such folder of a module's source.
    #[error(
        "{input} has no files below {path}\n\
         hint: correct path of [driver.source] in the recipe; `dpkg-deb -c` lists what the cached input contains"
    )]
    NoSource {
        /// The input's name.
        input: String,
        /// The folder that the recipe names.
        path: String,
    },

    /// A kernel that was handed in comes without the driver's modules.
    #[error(
        "the kernel that was given has no modules for the driver's disk\n\
         hint: omit --kernel: the modules are compiled together with the kernel"
    )]
    NoModules,

    /// The compiler, or another tool of the build, refused.
    #[error(
        "{what} failed:\n{log}\nhint: make source, patches and compiler fit together; see images/kernel/README.md"
    )]
    BuildFailed {
        /// The step.
        what: String,
        /// The end of what was printed.
        log: String,
    },

    /// A program that the recipe names is missing from the folder.
    #[error(
        "there is no program {package} in {}\nhint: run `chrysalis-image binaries RECIPE`, which compiles a recipe's programs and \
         prints their folder",
        folder.display()
    )]
    NoProgram {
        /// The program, and its cargo package.
        package: String,
        /// The folder.
        folder: PathBuf,
    },

    /// The output folder has something in it that this program did not make.
    #[error(
        "{} exists and has no {marker}, so this program did not make it and will not replace it\nhint: choose another --out, or \
         remove it",
        folder.display()
    )]
    Occupied {
        /// The folder.
        folder: PathBuf,
        /// The file by which this program recognises its own.
        marker: &'static str,
    },

    /// A program that this one relies on failed or is not there.
    #[error("{program} {problem}\nhint: {hint}")]
    Tool {
        /// Its name.
        program: String,
        /// What it did, with the end of what it printed.
        problem: String,
        /// What usually helps.
        hint: &'static str,
    },

    /// Another compiler than the pinned one would give other bytes.
    #[error(
        "rustc is {found}, but rust-toolchain.toml pins {wanted}: other bytes would come out\n\
         hint: run `rustup toolchain install {wanted}`"
    )]
    Toolchain {
        /// The pinned release.
        wanted: String,
        /// The one that would run.
        found: String,
    },

    /// The pinned release, but other bytes: built by others, or changed.
    #[error(
        "rustc in {} is not the pinned one\nexpected {expected}\n     got {got}\n\
         hint: install it with rustup, as Rust's makers built it; after a move to another release, pin it with `make lock`",
        sysroot.display()
    )]
    OtherRust {
        /// Its folder.
        sysroot: PathBuf,
        /// The pin.
        expected: Sha256,
        /// What its files hash to.
        got: Sha256,
    },
}

impl Error {
    /// For `map_err` on the file system.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |reason| Self::Io {
            action,
            path,
            reason,
        }
    }

    /// A value that is not what it must be.
    pub(crate) fn value(
        path: impl Into<PathBuf>,
        key: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self::Value {
            path: path.into(),
            key: key.into(),
            problem: problem.into(),
        }
    }
}

fn list(tried: &[String]) -> String {
    tried.iter().fold(String::new(), |mut text, line| {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  tried {line}");
        text
    })
}
