//! The engine's root: its disk, its model, its secrets, a place for its socket, a bounded place for temporary files, and no more. An
//! interpreter also gets its own `/proc`, three devices, shared memory, a home, and what the kernel says about CPUs.
//!
//! The root itself is an empty file system of ours on which every entry of the engine's disk is mounted, so the disk needs
//! no mount points.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, chown, symlink},
    path::{Path, PathBuf},
};

use chrysalis_wire::room::{MODEL, Plan, Walls};
use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::UnshareFlags,
};

use crate::{
    kernel,
    mounts::{self, PLAIN, Taken, take},
    plan::OURS,
    refusal::{Refusal, not_started, unconfined},
    secrets::Secrets,
};

/// Where an interpreter's home is.
pub(crate) const HOME: &str = "/tmp/home";
/// A compiled engine writes next to nothing, in MiB.
const NATIVE_TMP: u32 = 16;
/// Devices that every interpreter expects.
const COMMON_DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/urandom"];
/// What the kernel says about CPUs and memory nodes; engines choose threads by it.
const SYSTEM: &str = "/sys/devices/system";

/// Builds the root and enters it. What is mounted here is this process's and its children's alone.
pub(crate) fn build(plan: &Plan, secrets: Secrets) -> Result<(), Refusal> {
    let own = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    kernel::unshare(UnshareFlags::NEWNS)
        .and_then(|()| mount_change("/", own))
        .map_err(unconfined("the room gets no mounts of its own"))?;
    let parts = Parts::take(plan)?;
    mounts::enter_empty_root(Path::new(&plan.root))
        .map_err(unconfined("the room's own root cannot be entered"))?;
    parts.put(plan)?;
    own_places(plan).map_err(unconfined("a place of the room's own cannot be made"))?;
    secrets
        .put(plan.user)
        .map_err(unconfined("the engine's secrets have no place"))?;
    mounts::close_root().map_err(unconfined("the room's root stays writable"))
}

/// What comes from outside.
struct Parts {
    engine: Vec<(OsString, Entry)>,
    model: Option<Model>,
    run: Taken,
    /// Everybody's devices, each with its place inside.
    devices: Vec<(PathBuf, Taken)>,
    /// The engine's own, each with its place and its number.
    nodes: Vec<(PathBuf, u64)>,
    libraries: Vec<(PathBuf, Taken)>,
}

/// An entry of the engine's disk.
enum Entry {
    Mounted(Taken),
    Link(PathBuf),
}

enum Model {
    /// A device of this number.
    Device(u64),
    Mounted(Taken),
}

impl Parts {
    fn take(plan: &Plan) -> Result<Self, Refusal> {
        let engine = engine(Path::new(&plan.root))
            .map_err(not_started("the engine's disk cannot be read"))?;
        let model = match &plan.model {
            Some(path) => Some(model(Path::new(path)).map_err(not_started(format!(
                "the model {path} cannot be mounted (hint: activate its disk first)"
            )))?),
            None => None,
        };
        let run = take(Path::new(&plan.run)).map_err(not_started("/run cannot be mounted"))?;
        let python = plan.walls == Walls::Python;
        let devices = COMMON_DEVICES.iter().filter(|_| python).copied();
        let nodes = plan.devices.iter().map(|device| node(device));
        let system = Path::new(SYSTEM);
        let system = (python && system.is_dir()).then_some((SYSTEM, SYSTEM));
        let named = plan
            .libraries
            .iter()
            .map(|(from, to)| (from.as_str(), to.as_str()));
        Ok(Self {
            engine,
            model,
            run,
            devices: taken(devices.map(|device| (device, device)))?,
            nodes: nodes.collect::<Result<_, _>>()?,
            libraries: taken(system.into_iter().chain(named))?,
        })
    }

    fn put(self, plan: &Plan) -> Result<(), Refusal> {
        let read_only = MountFlags::RDONLY | PLAIN;
        for (name, entry) in self.engine {
            let place = Path::new("/").join(&name);
            let put = match entry {
                Entry::Mounted(tree) => tree.put(&place, read_only),
                Entry::Link(target) => symlink(target, &place),
            };
            put.map_err(not_started(format!(
                "{} cannot be mounted",
                place.display()
            )))?;
        }
        let run = Path::new("/run");
        let model = self.model.map(|model| model.put(plan.user)).transpose();
        model.map_err(not_started("the model cannot be mounted"))?;
        self.run
            .put(run, PLAIN | MountFlags::NOEXEC)
            .map_err(not_started("/run cannot be mounted"))?;
        for (place, tree) in self.libraries {
            tree.put(&place, read_only).map_err(not_started(format!(
                "{} cannot be mounted (hint: inside a folder of the engine's disk, it must exist there)",
                place.display()
            )))?;
        }
        let cannot = |place: &Path| not_started(format!("{} cannot be mounted", place.display()));
        let usable = MountFlags::NOSUID | MountFlags::NOEXEC;
        for (place, device) in self.devices {
            device.put(&place, usable).map_err(cannot(&place))?;
        }
        for (place, number) in self.nodes {
            let kind = FileType::CharacterDevice;
            put_node(&place, kind, (0o600, plan.user), number, usable).map_err(cannot(&place))?;
        }
        Ok(())
    }
}

impl Model {
    fn put(self, user: u32) -> io::Result<()> {
        let place = Path::new(MODEL);
        let read_only = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOEXEC;
        match self {
            Self::Mounted(tree) => tree.put(place, read_only | PLAIN),
            Self::Device(number) => {
                let kind = FileType::BlockDevice;
                put_node(place, kind, (0o400, user), number, read_only)
            }
        }
    }
}

/// Makes a node of the engine's own: outside, the device stays root's. It is mounted on itself, because the root has no devices.
fn put_node(
    place: &Path,
    kind: FileType,
    (mode, user): (u32, u32),
    number: u64,
    flags: MountFlags,
) -> io::Result<()> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    mknodat(CWD, place, kind, Mode::from_raw_mode(mode), number)?;
    chown(place, Some(user), Some(user))?;
    take(place)?.put_over(place, flags)
}

/// The place and the number of a device that is the engine's own.
fn node(device: &str) -> Result<(PathBuf, u64), Refusal> {
    let found = fs::metadata(device).and_then(|file| {
        let is_device = file.file_type().is_char_device();
        is_device
            .then(|| file.rdev())
            .ok_or_else(|| io::Error::other("it is no character device"))
    });
    let number = found.map_err(not_started(format!("{device} cannot be mounted")))?;
    Ok((PathBuf::from(device), number))
}

fn engine(root: &Path) -> io::Result<Vec<(OsString, Entry)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        if OURS.iter().any(|own| name == *own) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            entries.push((name, Entry::Link(fs::read_link(entry.path())?)));
        } else if kind.is_dir() || kind.is_file() {
            entries.push((name, Entry::Mounted(take(&entry.path())?)));
        }
    }
    Ok(entries)
}

fn model(path: &Path) -> io::Result<Model> {
    let file = fs::metadata(path)?;
    if file.file_type().is_block_device() {
        return Ok(Model::Device(file.rdev()));
    }
    Ok(Model::Mounted(take(path)?))
}

/// Takes up each, from its place outside to its place inside.
fn taken<'a>(
    places: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<(PathBuf, Taken)>, Refusal> {
    let take_one = |(outside, inside): (&str, &str)| match take(Path::new(outside)) {
        Ok(tree) => Ok((PathBuf::from(inside), tree)),
        Err(error) => Err(not_started(format!("{outside} cannot be mounted"))(error)),
    };
    places.map(take_one).collect()
}

/// What is made here: temporary files, and for an interpreter a view of its own processes.
fn own_places(plan: &Plan) -> io::Result<()> {
    let tmp = Path::new("/tmp");
    if plan.walls == Walls::Native {
        return mounts::memory(tmp, NATIVE_TMP, plan.user, MountFlags::NOEXEC);
    }
    let quarter = plan.memory_mib.div_ceil(4);
    // Programs may be run from here: interpreters compile what they are about to run, and load it.
    mounts::memory(tmp, quarter, plan.user, MountFlags::empty())?;
    mounts::memory(
        Path::new("/dev/shm"),
        quarter,
        plan.user,
        MountFlags::NOEXEC,
    )?;
    fs::create_dir(HOME)?;
    chown(HOME, Some(plan.user), Some(plan.user))?;
    fs::create_dir("/proc")?;
    Ok(mount(
        "proc",
        "/proc",
        "proc",
        PLAIN | MountFlags::NOEXEC,
        None,
    )?)
}
