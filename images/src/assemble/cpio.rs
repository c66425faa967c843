//! The initrd: a newc archive (Documentation/driver-api/early-userspace/buffer-format.rst of Linux) whose bytes depend
//! on paths, modes and contents alone. Sorted by path; owner root, time 0, inodes counted from 1. Not compressed: the
//! kernel then unpacks it in one pass, and anyone can read it with `cpio -t`.

use std::collections::BTreeMap;

use crate::Error;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const TRAILER: &str = "TRAILER!!!";

/// What a path of the archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Directory,
    File {
        permissions: u32,
        bytes: Vec<u8>,
    },
    /// A character device that anyone may read and write.
    Device {
        major: u32,
        minor: u32,
    },
}

/// An archive in the making.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    nodes: BTreeMap<String, Node>,
}

impl Archive {
    /// Adds a directory and those above it.
    pub fn directory(&mut self, path: &str) -> Result<(), Error> {
        self.parents(path)?;
        self.insert(path, Node::Directory)
    }

    /// Adds a file and the directories above it.
    pub fn file(&mut self, path: &str, permissions: u32, bytes: Vec<u8>) -> Result<(), Error> {
        self.parents(path)?;
        self.insert(path, Node::File { permissions, bytes })
    }

    /// Adds a character device, and the directories above it.
    pub fn device(&mut self, path: &str, major: u32, minor: u32) -> Result<(), Error> {
        self.parents(path)?;
        self.insert(path, Node::Device { major, minor })
    }

    /// The archive's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        for (number, (path, node)) in (1..).zip(&self.nodes) {
            let mut entry = Entry {
                inode: number,
                links: 1,
                ..Entry::default()
            };
            match node {
                Node::Directory => (entry.mode, entry.links) = (DIRECTORY | 0o755, 2),
                Node::File { permissions, bytes } => {
                    (entry.mode, entry.bytes) = (REGULAR | permissions, bytes);
                }
                Node::Device { major, minor } => {
                    entry.mode = CHARACTER_DEVICE | 0o666;
                    entry.device = (*major, *minor);
                }
            }
            entry.append(&mut out, path)?;
        }
        let trailer = Entry {
            links: 1,
            ..Entry::default()
        };
        trailer.append(&mut out, TRAILER)?;
        Ok(out)
    }

    fn parents(&mut self, path: &str) -> Result<(), Error> {
        for (end, _) in path.match_indices('/') {
            self.insert(&path[..end], Node::Directory)?;
        }
        Ok(())
    }

    fn insert(&mut self, path: &str, node: Node) -> Result<(), Error> {
        match self.nodes.get(path) {
            Some(Node::Directory) if node == Node::Directory => Ok(()),
            Some(_) => Err(unarchivable(path, "the path is taken")),
            None => {
                self.nodes.insert(path.to_owned(), node);
                Ok(())
            }
        }
    }
}

/// What comes before a name, and after it.
#[derive(Default)]
struct Entry<'archive> {
    inode: u32,
    mode: u32,
    links: u32,
    device: (u32, u32),
    bytes: &'archive [u8],
}

impl Entry<'_> {
    fn append(&self, out: &mut Vec<u8>, path: &str) -> Result<(), Error> {
        let size = u32::try_from(self.bytes.len())
            .map_err(|_| unarchivable(path, "it has more than 4 GiB"))?;
        let name_size = u32::try_from(path.len() + 1)
            .map_err(|_| unarchivable(path, "its name is too long"))?;
        let Self {
            inode,
            mode,
            links,
            device: (major, minor),
            ..
        } = *self;
        out.extend_from_slice(b"070701");
        // inode, mode, uid, gid, links, mtime, size, the disk's numbers, the device's own, name size, checksum (unused in newc)
        for field in [
            inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0,
        ] {
            out.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        out.extend_from_slice(path.as_bytes());
        out.push(0);
        pad(out);
        out.extend_from_slice(self.bytes);
        pad(out);
        Ok(())
    }
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

fn unarchivable(path: &str, problem: &'static str) -> Error {
    Error::Unarchivable {
        path: path.into(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use super::*;

    fn sample() -> Archive {
        let mut archive = Archive::default();
        archive
            .file("modules/00-a.ko", 0o644, b"abc".to_vec())
            .unwrap();
        archive.file("init", 0o755, b"#!".to_vec()).unwrap();
        archive.directory("proc").unwrap();
        archive
    }

    #[test]
    fn order_of_adding_does_not_matter() {
        let mut other = Archive::default();
        other.directory("proc").unwrap();
        other.file("init", 0o755, b"#!".to_vec()).unwrap();
        other.directory("modules").unwrap();
        other
            .file("modules/00-a.ko", 0o644, b"abc".to_vec())
            .unwrap();
        assert_eq!(sample().encode().unwrap(), other.encode().unwrap());
    }

    #[test]
    fn header_is_the_documented_one() {
        let bytes = sample().encode().unwrap();
        let expected = "070701\
            00000001000081ed000000000000000000000001000000000000000200000000000000000000000000000000\
            0000000500000000init\0";
        assert_eq!(bytes[..115], *expected.as_bytes());
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn a_device_has_its_numbers_and_no_contents() {
        let mut archive = Archive::default();
        archive.device("null", 1, 3).unwrap();
        let bytes = archive.encode().unwrap();
        let expected = "070701\
            00000001000021b6000000000000000000000001000000000000000000000000000000000000000100000003\
            0000000500000000null\0";
        assert_eq!(bytes[..115], *expected.as_bytes());
    }

    #[test]
    fn refuses_one_path_twice() {
        let error = sample().file("proc", 0o644, Vec::new()).unwrap_err();
        assert!(matches!(
            error,
            Error::Unarchivable {
                problem: "the path is taken",
                ..
            }
        ));
        let error = sample().file("init/x", 0o644, Vec::new()).unwrap_err();
        assert!(matches!(error, Error::Unarchivable { path, .. } if path == "init"));
    }

    #[test]
    fn cpio_lists_it() {
        let child = Command::new("cpio")
            .args(["-t", "-v", "--numeric-uid-gid", "--quiet"])
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            chrysalis_test_support::skip("no cpio");
            return;
        };
        let mut input = child.stdin.take().unwrap();
        input.write_all(&sample().encode().unwrap()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let names: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.last().copied())
            .collect();
        assert_eq!(names, ["init", "modules", "modules/00-a.ko", "proc"]);
        assert_eq!(lines[0][..5], ["-rwxr-xr-x", "1", "0", "0", "2"]);
        assert_eq!(lines[3][..4], ["drwxr-xr-x", "2", "0", "0"]);
    }
}
