//! What confines the worker, before a library is loaded: another user, only the one administrator's privilege that setting
//! GPUs ready takes, no new privileges, no core dumps, no debugger, a list of system calls, and no files but the libraries
//! and the GPUs' devices.
//!
//! We cannot trace NVIDIA's libraries on every GPU, so an unlisted call is refused and does not kill: they try much that they
//! can do without. What the list must keep out is kept out either way: other processes, programs, mounts, modules,
//! namespaces, the network.

use std::path::PathBuf;

use anyhow::Context;
use chrysalis_sandbox::{
    Landlock, SeccompAction, answer, any,
    calls::{FILES, PROGRAM},
    equal, filter, having, leave_no_traces,
};
use chrysalis_wire::gpu::WORKER;
use landlock::{AccessFs, BitFlags, PathBeneath, PathFd, RulesetCreatedAttr, RulesetStatus};
use rustix::{
    fs::{Gid, Uid},
    process::geteuid,
    thread::{
        CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_thread_groups,
        set_thread_res_gid, set_thread_res_uid,
    },
};

/// Calls that are needed besides those of any program and of files, with any arguments.
const ALLOWED: &[libc::c_long] = &[
    // Memory
    libc::SYS_mincore,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_get_mempolicy,
    libc::SYS_set_mempolicy,
    libc::SYS_mbind,
    libc::SYS_memfd_create,
    // Threads
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    // Clocks, randomness, what the machine has
    libc::SYS_getrlimit,
    // Files, as far as Landlock lets them be opened, and the devices
    libc::SYS_pwrite64,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_dup,
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_ioctl,
    // Thread names; privileges, which can only shrink; the next restrictions
    libc::SYS_prctl,
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_seccomp,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// Where libraries are: the first in the image, the others on a machine where the worker is started by hand.
const LIBRARIES: &[&str] = &[
    "/nvidia",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
];

/// Where the kernel describes the machine.
const READABLE: &[&str] = &["/proc", "/sys", "/dev/null", "/dev/zero", "/dev/urandom"];

/// Where CUDA writes the names of its threads; it gives up if it may not.
const THREADS: &str = "/proc/self/task";

/// Applies all restrictions, and says how much of Landlock the kernel enforces. Before any thread is made: threads inherit
/// them.
pub(crate) fn shut(landlock: Landlock) -> anyhow::Result<RulesetStatus> {
    become_worker().context("the user could not be changed")?;
    leave_no_traces()?;
    filter_calls()?;
    close_files(landlock)
}

/// Gives up the remaining administrator's privileges.
pub(crate) fn give_up_rights() -> anyhow::Result<()> {
    keep(CapabilitySet::empty()).context("a privilege could not be given up")
}

/// If an administrator starts it, as the enclave does.
fn become_worker() -> rustix::io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(WORKER), Gid::from_raw(WORKER));
    set_keep_capabilities(true)?;
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    set_keep_capabilities(false)?;
    // What the driver requires before it sets GPUs ready.
    keep(CapabilitySet::SYS_ADMIN)
}

fn keep(rights: CapabilitySet) -> rustix::io::Result<()> {
    let sets = CapabilitySets {
        effective: rights,
        permitted: rights,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets)
}

fn filter_calls() -> anyhow::Result<()> {
    let mut allowed = any(&[PROGRAM, FILES, ALLOWED].concat());
    allowed.extend([
        (libc::SYS_clone, vec![having(0, libc::CLONE_THREAD)?]),
        (libc::SYS_tgkill, vec![equal(2, libc::SIGABRT)?]),
    ]);
    // Its flags are in memory, where no filter sees them; the C library falls back to `clone`.
    let absent = any(&[libc::SYS_clone3]);
    allowed.extend(absent.clone());
    filter(allowed, SeccompAction::Allow, answer(libc::EPERM))?;
    filter(absent, answer(libc::ENOSYS), SeccompAction::Allow)
}

/// Allows reading the libraries and using the devices, and no TCP.
fn close_files(landlock: Landlock) -> anyhow::Result<RulesetStatus> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let devices = std::fs::read_dir("/dev")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().starts_with("/dev/nvidia"));
    let named = |paths: &[&'static str], access: BitFlags<AccessFs>| {
        let rule = move |path: &&'static str| ((*path).into(), access);
        paths.iter().map(rule).collect::<Vec<_>>()
    };
    let mut places: Vec<(PathBuf, _)> = named(LIBRARIES, read | AccessFs::Execute);
    places.extend(named(READABLE, read));
    let name = AccessFs::WriteFile | AccessFs::Truncate;
    places.push((THREADS.into(), read | name));
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    places.extend(devices.map(|path| (path, device | AccessFs::ReadDir)));
    landlock.restrict(|mut rules| {
        for (path, access) in places {
            // What does not exist needs no permission.
            let Ok(opened) = PathFd::new(&path) else {
                continue;
            };
            let access = if path.is_dir() {
                access
            } else {
                access & !AccessFs::ReadDir
            };
            rules = rules.add_rule(PathBeneath::new(opened, access))?;
        }
        Ok(rules)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        io::{self, ErrorKind},
        net::{TcpListener, TcpStream},
        process::Command,
        thread,
    };

    use rustix::mount::{MountFlags, mount};

    fn refused<T>(attempt: io::Result<T>) -> bool {
        attempt.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    }

    /// Filters, privileges and rules belong to a thread, so this one is confined and the test is not.
    #[test]
    fn neither_network_nor_programs_nor_other_files_are_in_reach() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = address.local_addr().unwrap();
        let inside = thread::spawn(move || {
            let landlock = shut(Landlock::Partial).unwrap();
            assert!(refused(TcpStream::connect(address)));
            assert!(refused(TcpListener::bind("127.0.0.1:0")));
            assert!(refused(Command::new("/bin/true").status()));
            // It has the privilege for this, so only the filter prevents it.
            let place = folder.path();
            let mounted = mount("none", place, "tmpfs", MountFlags::empty(), None);
            assert!(refused(mounted.map_err(Into::into)));
            assert!(fs::read("/proc/self/maps").is_ok());
            assert!(fs::write("/proc/thread-self/comm", "named").is_ok());
            if landlock != RulesetStatus::NotEnforced {
                assert!(refused(fs::read("/etc/passwd")));
                assert!(refused(fs::write(file, "more")));
                assert!(refused(fs::read_dir("/dev")));
            }
        });
        inside.join().unwrap();
    }
}
