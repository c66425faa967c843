//! A read-only file system whose bytes depend on paths, modes and contents alone: squashfs, owner root, time 0, nothing
//! compressed. Unpacking at every boot, inside encrypted memory, is slower than reading; and no compressor's version can
//! change the bytes.

use std::io::Cursor;

use backhand::{
    BackhandError, FilesystemCompressor, FilesystemWriter, NodeHeader, SuperBlock,
    compression::{CompressionAction, Compressor},
    kind::Kind,
};

use crate::{Error, assemble::cpio::Archive};

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

/// The file system of these files, without padding.
pub fn encode(archive: &Archive) -> Result<Vec<u8>, Error> {
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
    for (path, permissions, bytes) in archive.files() {
        if let Some((parents, _)) = path.rsplit_once('/') {
            let directory = NodeHeader::new(0o755, 0, 0, 0);
            writer.push_dir_all(parents, directory).map_err(failed)?;
        }
        let mode = u16::try_from(permissions).unwrap_or(0o644);
        let file = NodeHeader::new(mode, 0, 0, 0);
        writer
            .push_file(Cursor::new(bytes), path, file)
            .map_err(failed)?;
    }
    let mut out = Cursor::new(Vec::new());
    writer.write(&mut out).map_err(failed)?;
    Ok(out.into_inner())
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    fn sample() -> Archive {
        let mut archive = Archive::default();
        let long: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        archive.file("modules/00-nvidia.ko", 0o644, long).unwrap();
        archive
            .file("lib/empty", 0o644, Vec::new())
            .and_then(|()| archive.file("lib/zeros", 0o644, vec![0; 262_144]))
            .and_then(|()| archive.file("bin/worker", 0o755, b"#!".to_vec()))
            .unwrap();
        archive
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
        for (path, _, bytes) in sample().files() {
            assert!(fs::read(tree.join(path)).unwrap() == bytes, "{path}");
        }
    }
}
