//! The firmware that runs in front of the kernel, one for each kind of hardware: taken from a pinned package only if it is
//! one that measures the kernel.

use super::{packages::Packages, variables};
use crate::{
    Error,
    inputs::{
        fetch::Fetcher,
        lock::{Input, Kind, LockFile},
        recipe::{ImageRecipe, Source},
    },
    manifest::Origin,
};

/// The GUID under which AMD's firmware announces its table of kernel hashes (QEMU, docs/system/i386/amd-memory-encryption).
const HASHES_TABLE: [u8; 16] = [
    0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b, 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54,
];

/// All firmware of an image: each with where it comes from.
pub(super) struct Firmware {
    pub(super) snp: (Vec<u8>, Origin),
    pub(super) tdx: Option<(Vec<u8>, Origin)>,
    /// The pins of the packages that it was taken from.
    pub(super) inputs: Vec<Input>,
}

impl Firmware {
    /// Fetches, unpacks and checks what the recipe names.
    pub(super) fn gather(
        recipe: &ImageRecipe,
        lock: &LockFile,
        fetcher: &Fetcher,
    ) -> Result<Self, Error> {
        let mut packages = Packages::new(fetcher);
        let mut take = |source: &Source, of: Take| {
            let package = packages.deb(lock.input(&source.input, Kind::Deb)?)?;
            let (path, bytes) = package.only(&source.path)?;
            of(source.input.clone(), path.to_owned(), bytes)
        };
        let snp = take(&recipe.firmware, snp)?;
        let tdx = recipe.firmware_tdx.as_ref();
        let tdx = tdx.map(|source| take(source, self::tdx)).transpose()?;
        Ok(Self {
            snp,
            tdx,
            inputs: packages.pins(),
        })
    }
}

/// Firmware out of a file of a package, named by the input and the path.
type Take = fn(String, String, &[u8]) -> Result<(Vec<u8>, Origin), Error>;

/// The firmware for SNP. Without its table, SNP measures the firmware alone, and the host picks the kernel.
fn snp(name: String, path: String, bytes: &[u8]) -> Result<(Vec<u8>, Origin), Error> {
    if !has_hashes_table(bytes) {
        return Err(Error::NoKernelHashes { input: name, path });
    }
    Ok((bytes.to_vec(), Origin::Input { name, path }))
}

/// The firmware for TDX, its variables emptied.
fn tdx(name: String, path: String, bytes: &[u8]) -> Result<(Vec<u8>, Origin), Error> {
    match variables::without_variables(bytes) {
        Some(emptied) => Ok((emptied, Origin::Emptied { name, path })),
        None => Err(Error::NotTdxFirmware { input: name, path }),
    }
}

fn has_hashes_table(firmware: &[u8]) -> bool {
    // An entry ends in its GUID; before that stand base, size (32 bits each) and its own length (16 bits). Firmware built
    // without the table has the entry, too, with a size of 0.
    let announces = |end: usize| {
        let size = end
            .checked_sub(6)
            .and_then(|start| firmware.get(start..start + 4));
        size.is_some_and(|size| size != [0; 4])
    };
    let mut windows = firmware.windows(HASHES_TABLE.len()).enumerate();
    windows.any(|(position, window)| *window == HASHES_TABLE && announces(position))
}
