//! The bounds on memory, processes and CPU time: a cgroup of the engine's own, which the kernel empties where it grows too
//! large. The enclave stays outside it, so what runs out of memory is the engine, never the enclave.
//!
//! The enclave mounts cgroup2 on [`PLACE`]; the rest is done here.

use std::{fs, io, path::Path};

use chrysalis_wire::room::Plan;

use crate::{
    carrier::MAX_CONNECTIONS,
    refusal::{Refusal, unconfined},
};

/// Where the machine's cgroups are.
const PLACE: &str = "/sys/fs/cgroup";
/// The names of rooms' cgroups: this, and the number of the room's first process.
const PREFIX: &str = "room-";
/// Half of what one thread outside gets on a busy CPU: the enclave's own come first.
const WEIGHT: u32 = 50;
/// The room's own processes, on top of the engine's, and the thread that takes connections.
const OWN: u32 = 3;

/// Puts this process, and so its children, in a cgroup of its own, and says whether it is bounded so.
pub(crate) fn join(plan: &Plan) -> Result<bool, Refusal> {
    match enter(Path::new(PLACE), plan) {
        Ok(()) => Ok(true),
        Err(_) if plan.partial => Ok(false),
        Err(error) => Err(unconfined(
            "the engine's memory and processes cannot be bounded (hint: mount cgroup2 on /sys/fs/cgroup, with the controllers memory, pids and cpu)",
        )(error)),
    }
}

/// The most processes and threads: the engine's, the room's own, and two threads for each connection that it carries.
pub(crate) fn processes(plan: &Plan) -> u32 {
    let carrying = plan.port.map_or(0, |_| 2 * u32::from(MAX_CONNECTIONS));
    plan.processes.saturating_add(OWN).saturating_add(carrying)
}

fn enter(place: &Path, plan: &Plan) -> io::Result<()> {
    // Only cgroup2 has this file. At the root, processes and controllers go together.
    let has = fs::read_to_string(place.join("cgroup.controllers"))?;
    for needed in ["cpu", "memory", "pids"] {
        if !has
            .split_whitespace()
            .any(|controller| controller == needed)
        {
            return Err(io::Error::other(format!("no controller {needed}")));
        }
    }
    fs::write(place.join("cgroup.subtree_control"), "+cpu +memory +pids")?;
    remove_ended(place)?;
    // A new one for each room: for a while an engine and the one that takes its place run together.
    let own = place.join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir(&own)?;
    let bytes = u64::from(plan.memory_mib) << 20;
    for (file, value) in [
        ("memory.max", bytes.to_string()),
        ("memory.oom.group", "1".into()),
        ("pids.max", processes(plan).to_string()),
        ("cpu.weight", WEIGHT.to_string()),
    ] {
        fs::write(own.join(file), value)?;
    }
    // Absent where the kernel cannot swap at all.
    if own.join("memory.swap.max").exists() {
        fs::write(own.join("memory.swap.max"), "0")?;
    }
    fs::write(own.join("cgroup.procs"), "0")
}

/// Removes what rooms left behind whose first process is gone. The kernel keeps what still has a process.
fn remove_ended(place: &Path) -> io::Result<()> {
    let own = std::process::id().to_string();
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        if process == own || !Path::new("/proc").join(process).exists() {
            let _ = fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::sound;

    #[test]
    fn every_bound_is_written_before_the_process_enters() {
        let place = tempfile::tempdir().unwrap();
        fs::write(
            place.path().join("cgroup.controllers"),
            "cpu io memory pids",
        )
        .unwrap();
        let ended = place.path().join("room-4294967295");
        let running = place.path().join("room-1");
        fs::create_dir(&ended).unwrap();
        fs::create_dir(&running).unwrap();
        let own = place.path().join(format!("room-{}", std::process::id()));
        enter(place.path(), &sound()).unwrap();
        let read = |file: &str| fs::read_to_string(own.join(file)).unwrap();
        assert_eq!(read("memory.max"), "67108864");
        assert_eq!(read("memory.oom.group"), "1");
        assert_eq!(read("pids.max"), "11");
        assert_eq!(read("cpu.weight"), "50");
        assert_eq!(read("cgroup.procs"), "0");
        assert!(!ended.exists());
        assert!(running.exists());
    }

    #[test]
    fn a_machine_without_a_controller_is_named() {
        let place = tempfile::tempdir().unwrap();
        assert!(enter(place.path(), &sound()).is_err());
        fs::write(place.path().join("cgroup.controllers"), "cpu pids").unwrap();
        let error = enter(place.path(), &sound()).unwrap_err();
        assert_eq!(error.to_string(), "no controller memory");
    }
}
