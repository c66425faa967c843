//! Mounts, taken up in the old root and put down in the new one. A tree that was taken up hangs in no folder, so no path
//! of the old root is needed, and none is followed, once the new root is entered.

use std::{fs, io, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::CWD,
    io::Errno,
    mount::{
        MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_move, mount_remount,
        move_mount, open_tree, unmount,
    },
    process::{chdir, chroot, pivot_root},
};

/// What every mount of a room is at least: no file changes a user, none is a device.
pub(crate) const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// A file or a folder, as a mount that hangs nowhere yet.
#[derive(Debug)]
pub(crate) struct Taken {
    tree: OwnedFd,
    is_folder: bool,
}

/// Takes up a file or a folder; a link is followed.
pub(crate) fn take(path: &Path) -> io::Result<Taken> {
    let is_folder = fs::metadata(path)?.is_dir();
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, path, flags)?;
    Ok(Taken { tree, is_folder })
}

impl Taken {
    /// Puts it down at `place`, which is made where it is missing.
    pub(crate) fn put(self, place: &Path, flags: MountFlags) -> io::Result<()> {
        if self.is_folder {
            fs::create_dir_all(place)?;
        } else if !place.exists() {
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::File::create_new(place)?;
        }
        self.put_over(place, flags)
    }

    /// Puts it down on what is there.
    pub(crate) fn put_over(self, place: &Path, flags: MountFlags) -> io::Result<()> {
        let from_itself = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&self.tree, "", CWD, place, from_itself)?;
        Ok(mount_remount(place, MountFlags::BIND | flags, "")?)
    }
}

/// Files in memory, `mib` MiB of them at most, in a folder that belongs to `user`.
pub(crate) fn memory(place: &Path, mib: u32, user: u32, flags: MountFlags) -> io::Result<()> {
    fs::create_dir_all(place)?;
    // A file of no bytes costs memory too: as many as there are pages.
    let files = u64::from(mib) << 8;
    let options = format!("size={mib}m,nr_inodes={files},mode=0700,uid={user},gid={user}\0");
    let options = std::ffi::CString::from_vec_with_nul(options.into_bytes()).ok();
    Ok(mount(
        "tmpfs",
        place,
        "tmpfs",
        PLAIN | flags,
        options.as_deref(),
    )?)
}

/// From now on nothing is changed in a folder of files in memory.
pub(crate) fn close(place: &Path) -> io::Result<()> {
    let closed = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOEXEC | PLAIN;
    Ok(mount_remount(place, closed, "")?)
}

/// Mounts an empty root of files in memory over the folder `at`, and makes it this process's root, without the old one.
pub(crate) fn enter_empty_root(at: &Path) -> io::Result<()> {
    let small = Some(c"size=1m,nr_inodes=4096,mode=0755");
    mount("tmpfs", at, "tmpfs", PLAIN | MountFlags::NOEXEC, small)?;
    chdir(at)?;
    match pivot_root(".", ".") {
        // The old root lies over the new one.
        Ok(()) => unmount(".", UnmountFlags::DETACH)?,
        Err(Errno::INVAL) => cover_root(at)?,
        Err(error) => return Err(error.into()),
    }
    Ok(chdir("/")?)
}

/// The kernel's first root, which an initrd is unpacked to, cannot be exchanged: it is covered instead,
/// once nothing but itself and the way to the new root is mounted on it.
fn cover_root(at: &Path) -> io::Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    for line in mounts.lines().rev() {
        let Some(place) = line.split(' ').nth(4) else {
            continue;
        };
        if !at.starts_with(place) {
            // A name with a space is written otherwise and not found; it stays, out of reach like the root itself.
            let _ = unmount(place, UnmountFlags::DETACH);
        }
    }
    mount_move(".", "/")?;
    Ok(chroot(".")?)
}

/// From now on nothing is changed in the root itself; what is mounted in it has flags of its own.
pub(crate) fn close_root() -> io::Result<()> {
    close(Path::new("/"))
}
