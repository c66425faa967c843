//! Disks by content: blocks of data, then their unsalted dm-verity tree, in a file named by the tree's root. Whoever knows the
//! root can check every byte, wherever the file comes from.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{
    squashfs,
    tree::Tree,
    verity::{self, BLOCK},
};
use crate::{
    Error,
    digest::{Hasher, Sha256},
    files::{make_once, temporary_file},
    progress,
    publish::write_whole,
};

/// What names a disk and bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// The root of its dm-verity tree, and its file's name.
    pub root: Sha256,
    /// Blocks of data, of 4096 bytes, before the tree.
    pub blocks: u64,
}

/// Pads a file system to whole blocks and puts its tree behind it.
pub(super) fn verified(mut data: Vec<u8>) -> (Vec<u8>, Disk) {
    data.resize(data.len().next_multiple_of(BLOCK), 0);
    let mut builder = verity::Builder::default();
    let (blocks, _) = data.as_chunks::<BLOCK>();
    for block in blocks {
        builder.block(block);
    }
    let blocks = blocks.len() as u64;
    let tree = builder.finish();
    data.extend_from_slice(&tree.bytes);
    let root = tree.root;
    (data, Disk { root, blocks })
}

/// A folder of disks and their cards.
pub struct Shelf {
    folder: PathBuf,
}

/// A disk in the making: hashes what is written to it, and writes it on in whole blocks.
pub struct Draft {
    out: BufWriter<NamedTempFile>,
    data: Blocks,
}

/// What was written to a [`Draft`]: the file itself, its length and digest.
pub struct Written {
    file: NamedTempFile,
    data: Blocks,
    /// Bytes before they were padded.
    pub size: u64,
    /// Their digest.
    pub sha256: Sha256,
}

impl Shelf {
    /// The folder, made where it is missing.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        Ok(Self::at(folder))
    }

    /// The folder, to look into.
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Where a disk's file is.
    pub fn disk(&self, root: &Sha256) -> PathBuf {
        self.folder.join(format!("{root}.img"))
    }

    /// Where a card is.
    pub fn card(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    /// Starts a disk of raw bytes.
    pub fn draft(&self) -> Result<Draft, Error> {
        Ok(Draft {
            out: BufWriter::new(self.temporary()?),
            data: Blocks::default(),
        })
    }

    /// Writes a tree as a squashfs disk; unpacked, beside it as a folder as well.
    pub fn put_tree(&self, what: &str, tree: &Tree, unpacked: bool) -> Result<Disk, Error> {
        let mut file = self.temporary()?;
        let path = file.path().to_owned();
        let written = || {
            let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            format!(": {} MB", progress::megabytes(bytes))
        };
        let what = format!("writing the disk of {what}");
        let disk = progress::showing(&what, written, || {
            squashfs::write(tree, &mut BufWriter::new(file.as_file_mut()))?;
            self.hash(file)
        })?;
        if unpacked {
            let place = self.folder.join(disk.root.to_string());
            make_once(&place, |folder| {
                let folder = folder.join("tree");
                fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
                tree.unpack(&folder)?;
                Ok(folder)
            })?;
        }
        Ok(disk)
    }

    /// Puts a disk of raw bytes in its place.
    pub fn put(&self, written: Written) -> Result<Disk, Error> {
        self.finish(written.file, written.data)
    }

    /// Writes a card.
    pub fn put_card(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.card(name);
        write_whole(&path, text.as_bytes()).map_err(Error::io("write", &path))?;
        Ok(path)
    }

    fn temporary(&self) -> Result<NamedTempFile, Error> {
        temporary_file(&self.folder).map_err(Error::io("write to", &self.folder))
    }

    fn hash(&self, mut file: NamedTempFile) -> Result<Disk, Error> {
        let failed = || Error::io("write", &self.folder);
        let mut data = Blocks::default();
        file.rewind().map_err(failed())?;
        data.pass(&mut BufReader::new(file.as_file()), &mut io::sink())
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .and_then(|_| data.pad(&mut file))
            .map_err(failed())?;
        self.finish(file, data)
    }

    fn finish(&self, mut file: NamedTempFile, data: Blocks) -> Result<Disk, Error> {
        let blocks = data.count;
        let tree = data.tree.finish();
        let place = self.disk(&tree.root);
        let failed = || Error::io("write", &place);
        file.write_all(&tree.bytes)
            .and_then(|()| file.as_file().sync_all())
            .map_err(failed())?;
        let kept = file.persist(&place);
        kept.map_err(|error| failed()(error.error))?;
        Ok(Disk {
            root: tree.root,
            blocks,
        })
    }
}

impl Draft {
    /// Copies a source to its end, but at most to this length of the whole disk.
    pub fn copy(&mut self, what: &str, source: &mut dyn Read, longest: u64) -> Result<(), Error> {
        let left = longest.saturating_sub(self.data.hasher.length());
        // One byte more than allowed, so that the length betrays a source that is too long.
        let mut source = source.take(left.saturating_add(1));
        self.data
            .pass(&mut source, &mut self.out)
            .map_err(Error::io("copy", what))
    }

    /// Ends the data.
    pub fn end(self) -> Result<Written, Error> {
        let Self { mut out, mut data } = self;
        let failed = |reason| Error::io("write", "the disk")(reason);
        let (size, sha256) = (data.hasher.length(), data.hasher.clone().finish());
        data.pad(&mut out).map_err(failed)?;
        let file = out.into_inner();
        let file = file.map_err(|error| failed(error.into_error()))?;
        Ok(Written {
            file,
            data,
            size,
            sha256,
        })
    }
}

impl Written {
    /// The bytes, from the start, without what pads them.
    pub fn reader(&self) -> Result<impl Read + use<>, Error> {
        let path = self.file.path();
        let file = File::open(path).map_err(Error::io("read", path))?;
        Ok(BufReader::new(file).take(self.size))
    }
}

/// Blocks of data as they pass.
struct Blocks {
    tree: verity::Builder,
    hasher: Hasher,
    block: [u8; BLOCK],
    filled: usize,
    count: u64,
}

impl Default for Blocks {
    fn default() -> Self {
        Self {
            tree: verity::Builder::default(),
            hasher: Hasher::default(),
            block: [0; BLOCK],
            filled: 0,
            count: 0,
        }
    }
}

impl Blocks {
    /// Passes all of a source on.
    fn pass(&mut self, source: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
        loop {
            let space = self.block.get_mut(self.filled..).unwrap_or_default();
            let count = match source.read(space) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let new = space.get(..count).unwrap_or_default();
            self.hasher.update(new);
            out.write_all(new)?;
            self.filled += count;
            if self.filled == BLOCK {
                self.take();
            }
        }
    }

    /// Fills up the last block with zeros.
    fn pad(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.filled == 0 && self.count > 0 {
            return Ok(());
        }
        let rest = self.block.get_mut(self.filled..).unwrap_or_default();
        rest.fill(0);
        out.write_all(rest)?;
        self.take();
        Ok(())
    }

    fn take(&mut self) {
        self.tree.block(&self.block);
        self.count += 1;
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_blocks_before_the_tree() {
        let (bytes, disk) = verified(vec![7; BLOCK + 1]);
        assert_eq!(bytes.len(), 3 * BLOCK);
        assert_eq!(disk.blocks, 2);
        let (_, other) = verified(vec![8; BLOCK + 1]);
        assert_ne!(disk.root, other.root);
    }

    #[test]
    fn raw_bytes_and_bytes_in_memory_make_the_same_disk() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        for size in [1, BLOCK - 1, BLOCK, BLOCK + 1, 130 * BLOCK] {
            let data: Vec<u8> = (0..=250).cycle().take(size).collect();
            let mut draft = shelf.draft().unwrap();
            let (head, tail) = data.split_at(size / 3);
            draft.copy("a", &mut &head[..], size as u64).unwrap();
            draft.copy("b", &mut &tail[..], size as u64).unwrap();
            let written = draft.end().unwrap();
            assert_eq!(
                (written.size, written.sha256),
                (size as u64, Sha256::of(&data))
            );
            let mut back = Vec::new();
            written.reader().unwrap().read_to_end(&mut back).unwrap();
            assert!(back == data);
            let disk = shelf.put(written).unwrap();
            let (bytes, same) = verified(data);
            assert_eq!(disk, same);
            assert!(fs::read(shelf.disk(&disk.root)).unwrap() == bytes, "{size}");
        }
    }

    #[test]
    fn a_tree_is_written_as_in_memory_and_unpacked_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(&folder.path().join("disks")).unwrap();
        let mut tree = Tree::default();
        tree.file("bin/a", 0o755, b"program".to_vec()).unwrap();
        let disk = shelf.put_tree("a", &tree, true).unwrap();
        let (bytes, same) = verified(squashfs::encode(&tree).unwrap());
        assert_eq!(disk, same);
        assert!(fs::read(shelf.disk(&disk.root)).unwrap() == bytes);
        let beside = shelf.folder.join(disk.root.to_string());
        assert_eq!(fs::read(beside.join("bin/a")).unwrap(), b"program");
        assert_eq!(shelf.put_tree("a", &tree, true).unwrap(), disk);
    }

    #[test]
    fn takes_no_more_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        let mut draft = shelf.draft().unwrap();
        draft.copy("endless", &mut io::repeat(1), 10).unwrap();
        assert_eq!(draft.end().unwrap().size, 11);
    }
}
