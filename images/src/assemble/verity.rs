//! The hash tree of dm-verity (Documentation/admin-guide/device-mapper/verity.rst of Linux): format 1, SHA-256, blocks of
//! 4096 bytes, no superblock. A block's digest is SHA-256(salt ‖ block); 128 digests fill a block of the level above; the
//! level that fits one block is hashed into the root. On disk the topmost level comes first.

use crate::digest::{Hasher, Sha256};

/// Bytes of a block, of data and of digests.
pub const BLOCK: usize = 4096;
const DIGEST: usize = 32;

/// Hashes data blocks as they pass. By default the tree has no salt, which the kernel accepts, too.
#[derive(Default)]
pub struct Builder {
    salted: Hasher,
    digests: Vec<u8>,
}

/// A finished tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// What the configuration binds.
    pub root: Sha256,
    /// All levels, as they follow the data on the disk.
    pub bytes: Vec<u8>,
}

impl Builder {
    /// A tree with this salt.
    pub fn new(salt: &Sha256) -> Self {
        let mut builder = Self::default();
        builder.salted.update(&salt.0);
        builder
    }

    /// Takes the next block of data.
    pub fn block(&mut self, block: &[u8; BLOCK]) {
        let digest = self.digest(block);
        self.digests.extend_from_slice(&digest.0);
    }

    /// The tree over all blocks so far; there must be one.
    pub fn finish(self) -> Tree {
        let mut levels: Vec<Vec<u8>> = Vec::new();
        let mut digests = self.digests.clone();
        while digests.len() > DIGEST {
            digests.resize(digests.len().next_multiple_of(BLOCK), 0);
            let above = digests
                .chunks_exact(BLOCK)
                .flat_map(|block| self.digest(block).0)
                .collect();
            levels.push(std::mem::replace(&mut digests, above));
        }
        let mut root = Sha256::UNSET;
        root.0.copy_from_slice(&digests);
        Tree {
            root,
            bytes: levels.into_iter().rev().flatten().collect(),
        }
    }

    fn digest(&self, block: &[u8]) -> Sha256 {
        let mut hasher = self.salted.clone();
        hasher.update(block);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    const SALT: Sha256 = Sha256([0x5a; 32]);

    fn disk(blocks: u64) -> (Vec<u8>, Tree) {
        let mut builder = Builder::new(&SALT);
        let mut disk = Vec::new();
        for number in 0..blocks {
            let mut block = [0_u8; BLOCK];
            block[..8].copy_from_slice(&number.to_le_bytes());
            builder.block(&block);
            disk.extend_from_slice(&block);
        }
        (disk, builder.finish())
    }

    #[test]
    fn has_the_levels_that_the_kernel_expects() {
        for (blocks, tree_blocks) in [
            (1, 0),
            (2, 1),
            (128, 1),
            (129, 3),
            (128 * 128, 129),
            (128 * 128 + 1, 132),
        ] {
            assert_eq!(
                disk(blocks).1.bytes.len(),
                tree_blocks * BLOCK,
                "{blocks} blocks of data"
            );
        }
    }

    #[test]
    fn veritysetup_agrees() {
        if Command::new("veritysetup")
            .arg("--version")
            .output()
            .is_err()
        {
            chrysalis_test_support::skip("no veritysetup");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for blocks in [2, 128, 129, 128 * 128 + 1] {
            let (data, tree) = disk(blocks);
            let path = folder.path().join("disk");
            fs::write(&path, [data, tree.bytes].concat()).unwrap();
            let verify = |root: &str| {
                Command::new("veritysetup")
                    .args(["verify", "--no-superblock", "--format=1", "--hash=sha256"])
                    .args(["--data-block-size=4096", "--hash-block-size=4096"])
                    .arg(format!("--data-blocks={blocks}"))
                    .arg(format!("--hash-offset={}", blocks * BLOCK as u64))
                    .arg(format!("--salt={SALT}"))
                    .args([&path, &path])
                    .arg(root)
                    .output()
                    .unwrap()
            };
            let output = verify(&tree.root.to_string());
            assert!(output.status.success(), "{blocks} blocks: {output:?}");
            assert!(
                !verify(&SALT.to_string()).status.success(),
                "a wrong root passes"
            );
        }
    }
}
