//! A read-only file system whose bytes depend on paths, modes and contents alone: squashfs, owner root, time 0, nothing
//! compressed. Unpacking at every boot, inside encrypted memory, is slower than reading; and no compressor's version can
//! change the bytes.

use std::io::{Cursor, Seek, Write};

use backhand::{
    BackhandError, FilesystemCompressor, FilesystemWriter, NodeHeader, SuperBlock,
    compression::{CompressionAction, Compressor},
    kind::Kind,
};

use super::tree::{Node, Tree};
use crate::Error;

/// A compressor that never gains anything, so that every block is stored as it is.
struct Stored;

impl CompressionAction for Stored {
    type Error = BackhandError;
    type Compressor = Compressor;
    type FilesystemCompressor = FilesystemCompressor;
    type SuperBlock = SuperBlock;

    fn decompress(&self, _: &[u8], _: &mut Vec<u8>, _: Compressor) -> Result<(), BackhandError> {
        Err(BackhandError::CorruptedOrInvalidSquashfs)
    }

    fn compress(
        &self,
        bytes: &[u8],
        _: FilesystemCompressor,
        _: u32,
    ) -> Result<Vec<u8>, BackhandError> {
        Ok(vec![0; bytes.len() + 1])
    }
}

static STORED: Stored = Stored;

/// The file system of a tree, without padding.
pub fn encode(tree: &Tree) -> Result<Vec<u8>, Error> {
    let mut out = Cursor::new(Vec::new());
    write(tree, &mut out)?;
    Ok(out.into_inner())
}

/// Writes the file system of a tree, without padding, a part of a file at a time.
pub fn write(tree: &Tree, out: &mut (impl Write + Seek)) -> Result<(), Error> {
    let failed = |problem: BackhandError| Error::Disk {
        problem: problem.to_string(),
    };
    let mut writer = FilesystemWriter::default();
    writer.set_kind(Kind::new_v4(&STORED));
    // The kernel requires the name of a compressor that it knows, used or not.
    let named = FilesystemCompressor::new(Compressor::Gzip, None).map_err(failed)?;
    writer.set_compressor(named);
    writer.set_emit_compression_options(false);
    writer.set_no_padding();
    writer.set_time(0);
    writer.set_only_root_id();
    writer.set_root_mode(0o755);
    for (path, node) in tree.nodes() {
        let header = |mode| NodeHeader::new(mode, 0, 0, 0);
        let pushed = match node {
            Node::Directory => writer.push_dir(path, header(0o755)),
            Node::Link { to } => writer.push_symlink(to, path, header(0o777)),
            Node::File { mode, bytes } => {
                let mode = u16::try_from(*mode).unwrap_or(0o644);
                writer.push_file(bytes.reader(), path, header(mode))
            }
        };
        pushed.map_err(failed)?;
    }
    writer.write(out).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    fn sample() -> Tree {
        let mut tree = Tree::default();
        let long: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        tree.file("modules/00-nvidia.ko", 0o644, long).unwrap();
        tree.file("lib/empty", 0o644, Vec::new())
            .and_then(|()| tree.file("lib/zeros", 0o644, vec![0; 262_144]))
            .and_then(|()| tree.file("bin/worker", 0o755, b"#!".to_vec()))
            .and_then(|()| tree.link("lib64", "lib"))
            .and_then(|()| tree.directory("run"))
            .unwrap();
        tree
    }

    #[test]
    fn holds_the_same_bytes_every_time() {
        assert_eq!(encode(&sample()).unwrap(), encode(&sample()).unwrap());
    }

    #[test]
    fn stores_contents_as_they_are() {
        let disk = encode(&sample()).unwrap();
        let stretch: Vec<u8> = (1000..2000_u32).flat_map(u32::to_le_bytes).collect();
        assert!(disk.windows(stretch.len()).any(|window| window == stretch));
    }

    #[test]
    fn unsquashfs_reads_the_same_tree() {
        if Command::new("unsquashfs").arg("-version").output().is_err() {
            chrysalis_test_support::skip("no unsquashfs");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        let tree = folder.path().join("tree");
        fs::write(&disk, encode(&sample()).unwrap()).unwrap();
        let done = Command::new("unsquashfs")
            .arg("-quiet")
            .arg("-dest")
            .args([&tree, &disk])
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        let plain = folder.path().join("plain");
        fs::create_dir(&plain).unwrap();
        sample().unpack(&plain).unwrap();
        let same = Command::new("diff")
            .args(["-r", "--no-dereference"])
            .args([&plain, &tree])
            .output()
            .unwrap();
        assert!(same.status.success(), "{same:?}");
    }
}
