//! image.json: where every byte of an image comes from. For people and for audits; nothing trusts it, since the hardware
//! measures the files themselves.

use serde::{Deserialize, Serialize};

use crate::{digest::Sha256, inputs::lock::Input};

/// Version of the format that this code writes.
pub const FORMAT: u32 = 1;

/// The whole of it.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The recipe's name.
    pub name: String,
    /// The version of this workspace.
    pub version: String,
    /// The pins of the inputs used, and of all that the programs' compilers are made of.
    pub inputs: Vec<Input>,
    /// What compiled the programs, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<Toolchain>,
    /// The files of the folder, this one left out.
    pub files: Vec<File>,
}

/// A file of the folder, or of the initrd.
#[derive(Debug, Clone, Serialize)]
pub struct File {
    /// Its name in the folder, or its path in the initrd.
    pub path: String,
    /// Permissions, of files in the initrd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Their digest.
    pub sha256: Sha256,
    /// Where they come from.
    pub origin: Origin,
    /// The files inside, of an archive.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<Self>,
}

/// Where the bytes of a file come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A file of a pinned input; unpacked, if its name ends in `.xz`.
    Input {
        /// The input's name.
        name: String,
        /// The file in it.
        path: String,
    },
    /// A firmware of a pinned input, its store of UEFI variables emptied.
    Emptied {
        /// The input's name.
        name: String,
        /// The file in it.
        path: String,
    },
    /// Compiled from this workspace, by the toolchain named in the manifest.
    Built {
        /// The cargo package.
        package: String,
        /// Its version.
        version: String,
    },
    /// A kernel, compiled from a pinned input with this workspace's patches and options, in a root of pinned inputs.
    Kernel {
        /// The input's name.
        name: String,
        /// The archive in it.
        path: String,
        /// The folder of patches and options next to the recipe.
        folder: String,
    },
    /// A kernel module, compiled from a pinned input together with the kernel.
    Module {
        /// The input's name.
        name: String,
        /// The folder in it.
        path: String,
    },
    /// Handed in by the user; only they know what it is.
    Given {
        /// The cargo package that it stands for.
        package: String,
    },
    /// A line of the recipe, with the word that binds the driver's disk, if there is one.
    Recipe {
        /// Its key.
        key: String,
    },
    /// Put together from its contents.
    Contents,
}

/// What decides the bytes of a compiled program, apart from its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// Release and commit of rustc.
    pub rustc: String,
    /// The C compiler's package and its version.
    pub c_compiler: String,
    /// The digest of the package whose C library is linked in.
    pub c_library: Sha256,
}

impl File {
    /// Describes bytes.
    pub fn of(path: impl Into<String>, bytes: &[u8], origin: Origin) -> Self {
        Self {
            path: path.into(),
            mode: None,
            size: bytes.len() as u64,
            sha256: Sha256::of(bytes),
            origin,
            contents: Vec::new(),
        }
    }
}

impl Manifest {
    /// The file's text.
    pub fn render(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("strings and numbers always serialise");
        text.push('\n');
        text
    }
}
