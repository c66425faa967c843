//! The firmware that runs in front of the kernel, one for each kind of hardware: taken from a pinned package only if it is
//! one that measures the kernel.

use std::collections::BTreeMap;

use super::variables;
use crate::{
    Error,
    inputs::{
        fetch::Fetcher,
        lock::{Input, Kind, LockFile},
        package::Deb,
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
        let mut packages = BTreeMap::new();
        for source in [&recipe.firmware].into_iter().chain(&recipe.firmware_tdx) {
            let pin = lock.input(&source.input, Kind::Deb)?;
            if !packages.contains_key(&source.input) {
                packages.insert(&source.input, (pin, fetcher.deb(pin)?));
            }
        }
        let package = |source: &Source| &packages[&source.input].1;
        let tdx = recipe.firmware_tdx.as_ref();
        Ok(Self {
            snp: snp(&recipe.firmware, package(&recipe.firmware))?,
            tdx: tdx
                .map(|source| self::tdx(source, package(source)))
                .transpose()?,
            inputs: packages.values().map(|(pin, _)| (*pin).clone()).collect(),
        })
    }
}

/// The firmware for SNP. Without its table, SNP measures the firmware alone, and the host picks the kernel.
fn snp(source: &Source, package: &Deb) -> Result<(Vec<u8>, Origin), Error> {
    let name = source.input.clone();
    let (path, bytes) = package.only(&source.path)?;
    let path = path.to_owned();
    if !has_hashes_table(bytes) {
        return Err(Error::NoKernelHashes { input: name, path });
    }
    Ok((bytes.to_vec(), Origin::Input { name, path }))
}

/// The firmware for TDX, its variables emptied.
fn tdx(source: &Source, package: &Deb) -> Result<(Vec<u8>, Origin), Error> {
    let name = source.input.clone();
    let (path, bytes) = package.only(&source.path)?;
    let path = path.to_owned();
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
