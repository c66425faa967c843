//! What a disk holds, by path: files, links and directories. The bytes of a large file stay where they are until the disk is
//! written, so that a disk may be larger than memory.

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{self, Cursor, Read},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use crate::{
    Error,
    inputs::{
        package::Deb,
        zipped::{Zipped, ZippedReader},
    },
};

/// What a path of the tree holds.
#[derive(Debug)]
pub enum Node {
    /// A directory, mode 0755.
    Directory,
    /// A regular file.
    File {
        /// Permissions.
        mode: u32,
        /// Contents.
        bytes: Bytes,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        to: String,
    },
}

/// The contents of a file.
#[derive(Debug)]
pub enum Bytes {
    /// In memory.
    Held(Vec<u8>),
    /// In a file of this machine, which must stay as it is until the disk is written.
    At(PathBuf),
    /// In an archive of this machine, which must stay as it is, too.
    Zipped(Zipped),
}

/// The tree of a disk in the making. Owner root, time 0; paths are relative to its root.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

impl Tree {
    /// Adds a directory and those above it.
    pub fn directory(&mut self, path: &str) -> Result<(), Error> {
        self.add(path, Node::Directory)
    }

    /// Adds a file that is in memory, and the directories above it.
    pub fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) -> Result<(), Error> {
        let bytes = Bytes::Held(bytes);
        self.add(path, Node::File { mode, bytes })
    }

    /// Adds a file of this machine, and the directories above it.
    pub fn file_at(&mut self, path: &str, mode: u32, from: PathBuf) -> Result<(), Error> {
        let bytes = Bytes::At(from);
        self.add(path, Node::File { mode, bytes })
    }

    /// Adds a file of an archive of this machine, and the directories above it.
    pub fn zipped(&mut self, path: &str, mode: u32, from: Zipped) -> Result<(), Error> {
        let bytes = Bytes::Zipped(from);
        self.add(path, Node::File { mode, bytes })
    }

    /// Adds a symbolic link, and the directories above it.
    pub fn link(&mut self, path: &str, to: impl Into<String>) -> Result<(), Error> {
        self.add(path, Node::Link { to: to.into() })
    }

    /// The files and links of a package whose paths are taken; returns how many there were.
    pub(super) fn package(
        &mut self,
        deb: &Deb,
        takes: impl Fn(&str) -> bool,
    ) -> Result<usize, Error> {
        let mut found = 0;
        for (path, packed) in deb.packed().filter(|(path, _)| takes(path)) {
            self.file(path, mode_of(packed.executable), packed.bytes.clone())?;
            found += 1;
        }
        for (path, to) in deb.links().filter(|(path, _)| takes(path)) {
            self.link(path, to)?;
            found += 1;
        }
        Ok(found)
    }

    /// Every node by path, a directory before what is in it.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// What is at this path of the running system, which starts with `/`.
    pub fn at(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path.strip_prefix('/')?)
    }

    /// Lays the tree out in a folder, as far as a user can: contents, modes and links.
    pub fn unpack(&self, folder: &Path) -> Result<(), Error> {
        for (path, node) in self.nodes() {
            let place = folder.join(path);
            let made = match node {
                Node::Directory => fs::create_dir(&place).and_then(|()| chmod(&place, 0o755)),
                Node::Link { to } => symlink(to, &place),
                Node::File { mode, bytes } => {
                    copy(bytes, &place).and_then(|()| chmod(&place, *mode))
                }
            };
            made.map_err(Error::io("write", place))?;
        }
        chmod(folder, 0o755).map_err(Error::io("write", folder))
    }

    fn add(&mut self, path: &str, node: Node) -> Result<(), Error> {
        for (end, _) in path.match_indices('/') {
            let above = path.get(..end).unwrap_or_default();
            match self.nodes.get(above) {
                Some(Node::Directory) => {}
                Some(_) => return Err(taken(path)),
                None => drop(self.nodes.insert(above.to_owned(), Node::Directory)),
            }
        }
        match (self.nodes.get(path), &node) {
            (Some(Node::Directory), Node::Directory) => Ok(()),
            (Some(_), _) => Err(taken(path)),
            (None, _) => {
                self.nodes.insert(path.to_owned(), node);
                Ok(())
            }
        }
    }
}

impl Bytes {
    /// A reader of the contents, which opens a file only when it is read.
    pub(super) fn reader(&self) -> Reader<'_> {
        match self {
            Self::Held(bytes) => Reader::Held(Cursor::new(bytes)),
            Self::At(path) => Reader::Closed(path),
            Self::Zipped(file) => Reader::Zipped(Box::new(file.reader())),
        }
    }
}

/// Contents as they are read. A file is open only in between: a disk may have more files than a process may open.
pub(super) enum Reader<'tree> {
    Held(Cursor<&'tree Vec<u8>>),
    Closed(&'tree Path),
    Open(File),
    Zipped(Box<ZippedReader<'tree>>),
    Done,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Closed(path) = self {
            *self = Self::Open(File::open(path)?);
        }
        let count = match self {
            Self::Held(bytes) => return bytes.read(buffer),
            Self::Open(file) => file.read(buffer)?,
            Self::Zipped(file) => file.read(buffer)?,
            Self::Closed(_) | Self::Done => 0,
        };
        if count == 0 && !buffer.is_empty() {
            *self = Self::Done;
        }
        Ok(count)
    }
}

fn copy(bytes: &Bytes, to: &Path) -> io::Result<()> {
    io::copy(&mut bytes.reader(), &mut File::create_new(to)?).map(drop)
}

/// The mode of a file of which it is only known whether it is a program.
pub(super) fn mode_of(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

fn chmod(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn taken(path: &str) -> Error {
    Error::Taken { path: path.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_path_that_is_taken() {
        let mut tree = Tree::default();
        tree.file("bin/a", 0o755, vec![1]).unwrap();
        tree.directory("bin").unwrap();
        for path in ["bin/a", "bin", "bin/a/b"] {
            let refused = tree.file(path, 0o644, Vec::new()).unwrap_err();
            assert!(matches!(refused, Error::Taken { path: named } if named == path));
        }
    }

    #[test]
    fn unpacks_modes_links_and_files_of_this_machine() {
        let top = tempfile::tempdir().unwrap();
        fs::write(top.path().join("source"), "large").unwrap();
        let mut tree = Tree::default();
        tree.file("bin/program", 0o755, b"#!".to_vec()).unwrap();
        let source = top.path().join("source");
        tree.file_at("share/large", 0o644, source).unwrap();
        tree.link("lib64", "usr/lib64").unwrap();
        let folder = top.path().join("tree");
        fs::create_dir(&folder).unwrap();
        tree.unpack(&folder).unwrap();
        let mode = |path: &str| {
            fs::metadata(folder.join(path))
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!(mode("bin/program") & 0o777, 0o755);
        assert_eq!(mode("share/large") & 0o777, 0o644);
        assert_eq!(fs::read(folder.join("share/large")).unwrap(), b"large");
        let link = fs::read_link(folder.join("lib64")).unwrap();
        assert_eq!(link, Path::new("usr/lib64"));
    }
}
