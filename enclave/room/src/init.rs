//! PID 1 of the engine's own namespace: builds its root, starts the program, reaps, and ends with it. When PID 1 ends, the
//! kernel ends everything in the namespace.

use std::{convert::Infallible, fs::File, os::fd::OwnedFd, process::exit};

use chrysalis_wire::{
    frame,
    room::{FromRoom, Plan},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Resource, Signal, WaitOptions, set_parent_process_death_signal, wait},
    system::sethostname,
};

use crate::{
    calls, cgroup, kernel, prepare, program,
    refusal::{Refusal, not_started, unconfined},
    rights, root,
    secrets::Secrets,
};

/// Runs as PID 1; `tell` is where the outcome is said. `bounded`: by a cgroup.
pub(crate) fn run(plan: &Plan, secrets: Secrets, bounded: bool, tell: OwnedFd) -> ! {
    let mut tell = File::from(tell);
    let Err(refusal) = start(plan, secrets, bounded, &mut tell);
    let _ = frame::write(&mut tell, &FromRoom::from(refusal));
    exit(1)
}

fn start(
    plan: &Plan,
    secrets: Secrets,
    bounded: bool,
    tell: &mut File,
) -> Result<Infallible, Refusal> {
    sethostname(b"room").map_err(unconfined("the room gets no name of its own"))?;
    root::build(plan, secrets)?;
    set_limits(plan, bounded).map_err(unconfined("the engine cannot be limited"))?;
    rights::give_up(plan.user).map_err(unconfined("the administrator's rights stay"))?;
    die_with_parent(tell)?;
    let preparing = prepare::start(plan, tell)?;
    let program = kernel::fork().map_err(not_started("the program gets no process"))?;
    let Some(program) = program else {
        return program::become_it(plan, tell);
    };
    // Only the program's end of the pipe is left: it closes when the program begins.
    let nothing = File::open("/").map_err(not_started("the root cannot be opened"))?;
    drop(std::mem::replace(tell, nothing));
    calls::shut(calls::init()).map_err(unconfined("the first process's calls stay open"))?;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, _))) if ended != program && !preparing.contains(&ended) => {}
            _ => exit(0),
        }
    }
}

/// What bounds an engine where no cgroup does: less well, because each process has the memory for itself, and all rooms of a
/// user share the number of processes.
fn set_limits(plan: &Plan, bounded: bool) -> rustix::io::Result<()> {
    if bounded {
        return Ok(());
    }
    rights::limit(Resource::Nproc, cgroup::processes(plan).into())?;
    // Memory that a process may write to; what it only reads, such as the model, is not counted.
    rights::limit(Resource::Data, u64::from(plan.memory_mib) << 20)
}

/// After the change of the user, which would undo it. The parent may have ended before: then no one listens.
fn die_with_parent(tell: &File) -> Result<(), Refusal> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(unconfined("the room would outlive the enclave's wish"))?;
    let mut pipe = [PollFd::new(tell, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match poll(&mut pipe, Some(&now)) {
        Ok(0) => Ok(()),
        _ => exit(1),
    }
}
