//! Tar archives that are the same bytes everywhere: sorted names, root as owner, one time for all.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, bail};
use tar::{Builder, EntryType, Header};

/// What is archived, by its path without the leading slash.
#[derive(Debug, Default)]
pub(crate) struct Tree(BTreeMap<PathBuf, Entry>);

/// One path.
#[derive(Debug)]
enum Entry {
    Folder {
        mode: u32,
    },
    File {
        bytes: Vec<u8>,
        mode: u32,
    },
    /// A file that stays on the disk until it is written.
    Kept {
        path: PathBuf,
        mode: u32,
    },
    Link {
        to: PathBuf,
    },
}

impl Tree {
    /// Adds a file, with the folders above it.
    pub(crate) fn file(&mut self, at: &str, bytes: impl Into<Vec<u8>>, mode: u32) {
        let bytes = bytes.into();
        self.put(Path::new(at), Entry::File { bytes, mode });
    }

    fn put(&mut self, at: &Path, entry: Entry) {
        for above in at.ancestors().skip(1) {
            if !above.as_os_str().is_empty() {
                let folder = Entry::Folder { mode: 0o755 };
                self.0.entry(above.to_owned()).or_insert(folder);
            }
        }
        self.0.insert(at.to_owned(), entry);
    }

    /// All that is in a folder. What is neither file, folder nor link is left out: a container gets devices of its own.
    pub(crate) fn of(folder: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        let mut folders = vec![PathBuf::new()];
        while let Some(inside) = folders.pop() {
            let here = folder.join(&inside);
            let read = fs::read_dir(&here).with_context(|| here.display().to_string())?;
            for entry in read {
                let entry = entry.with_context(|| here.display().to_string())?;
                let (path, at) = (entry.path(), inside.join(entry.file_name()));
                let metadata = fs::symlink_metadata(&path)?;
                let mode = metadata.permissions().mode() & 0o7777;
                let kind = metadata.file_type();
                if kind.is_dir() {
                    tree.put(&at, Entry::Folder { mode });
                    folders.push(at);
                } else if kind.is_symlink() {
                    let to = fs::read_link(&path)?;
                    tree.put(&at, Entry::Link { to });
                } else if kind.is_file() {
                    tree.put(&at, Entry::Kept { path, mode });
                }
            }
        }
        Ok(tree)
    }

    /// Writes all of it.
    pub(crate) fn write<W: Write>(&self, to: W, date: u64) -> anyhow::Result<W> {
        let mut archive = Builder::new(to);
        for (at, entry) in &self.0 {
            if at
                .components()
                .any(|part| !matches!(part, Component::Normal(_)))
            {
                bail!("{} is no path inside an archive", at.display());
            }
            let mut header = Header::new_gnu();
            header.set_mtime(date);
            header.set_uid(0);
            header.set_gid(0);
            header.set_username("root")?;
            header.set_groupname("root")?;
            let name = at.to_str().context("a name is not UTF-8")?.to_owned();
            match entry {
                Entry::Folder { mode } => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(*mode);
                    header.set_size(0);
                    archive.append_data(&mut header, name + "/", &[][..])?;
                }
                Entry::File { bytes, mode } => {
                    header.set_mode(*mode);
                    header.set_size(bytes.len() as u64);
                    archive.append_data(&mut header, name, &bytes[..])?;
                }
                Entry::Kept { path, mode } => {
                    let file = fs::File::open(path).with_context(|| path.display().to_string())?;
                    header.set_mode(*mode);
                    header.set_size(file.metadata()?.len());
                    archive.append_data(&mut header, name, file)?;
                }
                Entry::Link { to } => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    archive.append_link(&mut header, name, to)?;
                }
            }
        }
        Ok(archive.into_inner()?)
    }

    /// Bytes of all files that were given as bytes.
    pub(crate) fn size(&self) -> u64 {
        let sizes = self.0.values().map(|entry| match entry {
            Entry::File { bytes, .. } => bytes.len() as u64,
            _ => 0,
        });
        sizes.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_gives_the_same_bytes_whoever_made_it_and_when() {
        let made = [(), ()].map(|()| {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("usr/bin")).unwrap();
            fs::write(folder.path().join("usr/bin/b"), "b").unwrap();
            fs::write(folder.path().join("usr/a"), "a").unwrap();
            symlink("usr/bin", folder.path().join("bin")).unwrap();
            let tree = Tree::of(folder.path()).unwrap();
            tree.write(Vec::new(), 1_000_000_000).unwrap()
        });
        assert_eq!(made[0], made[1]);
        let mut read = tar::Archive::new(&made[0][..]);
        let names: Vec<_> = read
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.header().mtime().unwrap(), 1_000_000_000);
                assert_eq!(entry.header().uid().unwrap(), 0);
                entry.path().unwrap().display().to_string()
            })
            .collect();
        assert_eq!(names, ["bin", "usr/", "usr/a", "usr/bin/", "usr/bin/b"]);
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut tree = Tree::default();
        tree.file("etc/a/b", "text", 0o644);
        let bytes = tree.write(Vec::new(), 0).unwrap();
        let mut read = tar::Archive::new(&bytes[..]);
        let names: Vec<_> = read
            .entries()
            .unwrap()
            .map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap())
            .collect();
        assert_eq!(names, ["etc/", "etc/a/", "etc/a/b"]);
        assert_eq!(tree.size(), 4);
    }
}
