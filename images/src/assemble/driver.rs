//! The disk of a GPU's driver: kernel modules, firmware and the user space that goes with them, on a read-only file system
//! followed by its dm-verity tree. The tree's root is on the command line, so the launch digest covers every byte of the disk,
//! and the host that supplies it can change none.

use super::{
    contents::Contents,
    disk::{self, Disk},
    packages::Packages,
    squashfs,
    tree::Tree,
};
use crate::{
    Error,
    compile::{binaries::Binaries, toolchain::Toolchain},
    inputs::{
        fetch::Fetcher,
        lock::{Input, Kind, LockFile},
        recipe::DriverRecipe,
    },
    manifest::{File, Origin},
};

/// The disk, in an image folder.
pub(super) const DISK: &str = "driver.img";

/// A disk that was made.
pub(super) struct Driver {
    /// Its bytes: the file system in whole blocks, then the tree.
    pub(super) bytes: Vec<u8>,
    /// What the command line says of it: ` driver=BLOCKS:ROOT`.
    pub(super) word: String,
    /// The files on it.
    pub(super) contents: Vec<File>,
    /// The pins of the inputs that it took, tools among them.
    pub(super) inputs: Vec<Input>,
}

/// A disk with everything but what is compiled.
pub(super) struct Draft<'image> {
    recipe: &'image DriverRecipe,
    contents: Contents<Tree>,
    inputs: Vec<Input>,
}

impl<'image> Draft<'image> {
    /// Fetches and reads every input, so that a missing one is reported before minutes of compiling.
    pub(super) fn gather(
        recipe: &'image DriverRecipe,
        lock: &LockFile,
        toolchain: &Toolchain,
        fetcher: &Fetcher,
    ) -> Result<Self, Error> {
        let mut packages = Packages::new(fetcher);
        let mut contents = Contents::default();
        for file in &recipe.file {
            let input = lock.input(&file.input, Kind::Deb);
            let input = input.or_else(|_| toolchain.pin(&file.input))?;
            let (path, packed) = packages.deb(input)?.only(&file.from)?;
            let origin = Origin::Input {
                name: input.name.clone(),
                path: path.into(),
            };
            // Of all these, only the loader is started; a library need only be readable.
            let mode = if file.to.starts_with("lib64/") {
                0o755
            } else {
                0o644
            };
            contents.add(&file.to, mode, packed.to_vec(), origin)?;
        }
        let inputs = packages.pins();
        Ok(Self {
            recipe,
            contents,
            inputs,
        })
    }

    /// Makes the disk with these programs and these modules, in the recipe's order, on it.
    pub(super) fn build(
        mut self,
        binaries: &Binaries,
        modules: Vec<Vec<u8>>,
    ) -> Result<Driver, Error> {
        let recipe = self.recipe;
        for binary in &recipe.binary {
            let (bytes, origin) = binaries.read(&binary.package)?;
            self.contents.add(&binary.path, 0o755, bytes, origin)?;
        }
        if modules.len() != recipe.modules.len() {
            return Err(Error::NoModules);
        }
        for (number, (name, bytes)) in recipe.modules.iter().zip(modules).enumerate() {
            let origin = Origin::Module {
                name: recipe.source.input.clone(),
                path: recipe.source.path.clone(),
            };
            let path = format!("modules/{number:02}-{name}.ko");
            self.contents.add(&path, 0o644, bytes, origin)?;
        }
        let (bytes, disk) = disk::verified(squashfs::encode(&self.contents.archive)?);
        Ok(Driver {
            bytes,
            word: word(&disk),
            contents: self.contents.files,
            inputs: self.inputs,
        })
    }
}

/// What binds the disk.
fn word(Disk { root, blocks }: &Disk) -> String {
    format!(" driver={blocks}:{root}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_counts_the_blocks_before_the_tree() {
        let (_, disk) = disk::verified(vec![7; 4097]);
        assert_eq!(word(&disk), format!(" driver=2:{}", disk.root));
    }
}
