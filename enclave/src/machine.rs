//! The machine under PID 1: file systems, limits, and the end.
//!
//! As an ordinary process, in tests, the enclave owns no machine and does none of this.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use rustix::{
    io::Errno,
    mount::{MountFlags, mount},
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit},
    system::{RebootCommand, finit_module, reboot},
};

use crate::{
    failure::Failure,
    process::{self, is_ours},
};

/// Whose the machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// Ours alone: PID 1.
    Own,
    /// Somebody's, and the enclave a process on it.
    Shared,
}

impl Machine {
    /// Sets up the machine, if it is ours.
    pub(crate) fn take() -> Result<Self, Failure> {
        forbid_core_dumps()?;
        if !is_ours() {
            return Ok(Self::Shared);
        }
        mount_all()?;
        Ok(Self::Own)
    }
}

/// Memory holds prompts and keys: neither a dump nor a debugger of another user may see it.
fn forbid_core_dumps() -> Result<(), Failure> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| Failure::machine("forbid core dumps")(error.into()))
}

fn mount_all() -> Result<(), Failure> {
    let plain = MountFlags::NOSUID | MountFlags::NOEXEC;
    for (kind, place, flags) in [
        ("devtmpfs", "/dev", plain),
        ("proc", "/proc", plain | MountFlags::NODEV),
        ("sysfs", "/sys", plain | MountFlags::NODEV),
        // Engines are kept within bounds by control groups.
        ("cgroup2", "/sys/fs/cgroup", plain | MountFlags::NODEV),
    ] {
        match mount(kind, place, kind, flags, None) {
            // A kernel built to do so has mounted /dev already.
            Ok(()) | Err(Errno::BUSY) => {}
            Err(error) => {
                return Err(Failure::machine(format!("mount {kind} on {place}"))(
                    error.into(),
                ));
            }
        }
    }
    Ok(())
}

/// The machine's memory, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What could be had now.
    pub(crate) available_kib: u64,
    /// All of it.
    pub(crate) total_kib: u64,
}

impl Memory {
    /// As the kernel says now.
    pub(crate) fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/meminfo").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let line = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            let (_, value) = lines.find(|(found, _)| *found == name)?;
            value.trim().strip_suffix(" kB")?.trim().parse().ok()
        };
        Some(Self {
            available_kib: line("MemAvailable")?,
            total_kib: line("MemTotal")?,
        })
    }
}

/// The modules in a folder, in loading order.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ko"));
    files.sort();
    Ok(files)
}

/// Loads one module.
pub(crate) fn load_module(file: &Path) -> Result<(), Errno> {
    let module =
        File::open(file).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    finit_module(module, c"", 0)
}

/// The end: a machine of our own is powered off, a process exits with its result.
pub(crate) fn end(outcome: &Result<(), Failure>) -> ExitCode {
    if is_ours() {
        process::end_all();
        tracing::info!("powering off");
        if reboot(RebootCommand::PowerOff).is_err() {
            // If PID 1 returns, the kernel panics, which `panic=-1` turns into a reboot: the machine ends anyway.
            tracing::error!("the kernel would not power off");
        }
    }
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_listed_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["20-b.ko", "10-a.ko", "README"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = list(folder.path()).unwrap();
        assert_eq!(
            found,
            ["10-a.ko", "20-b.ko"].map(|name| folder.path().join(name))
        );
    }

    #[test]
    fn memory_is_read_by_its_name() {
        let text =
            "MemTotal:       24603216 kB\nMemAvailable:   23167744 kB\nHugePages_Total:       0\n";
        let memory = Memory {
            available_kib: 23_167_744,
            total_kib: 24_603_216,
        };
        assert_eq!(Memory::parse(text), Some(memory));
        assert_eq!(Memory::parse("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn a_process_owns_no_machine() {
        assert_eq!(Machine::take().unwrap(), Machine::Shared);
    }
}
