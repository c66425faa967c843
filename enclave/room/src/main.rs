//! The room: walls around one engine. The enclave starts it with a socket as standard input and sends a
//! [`Plan`]; it builds the walls, starts the program within them, and answers. It speaks
//! [`chrysalis_wire::room`].
//!
//! Three processes. This one keeps the enclave's socket, carries the engine's port where there is one, and is confined
//! itself. Its child is PID 1 of the engine's own namespace: it builds the root, starts the program and reaps. The third
//! becomes the program. Where the plan has a program that prepares, two more wait for its connections. When one of these ends, so do those after it: the kernel sees to it, and no process outlives PID 1.
//!
//! Nothing here is trusted by what it says: the enclave believes no engine. The engine is trusted with the prompts that it
//! is asked, and with nothing else; it is taken to be hostile from its first instruction on.
//!
//! Exits 0 when the engine or the enclave has ended, 1 when there is no engine, 2 when it was not started by an enclave.

mod calls;
mod carrier;
mod cgroup;
mod init;
mod kernel;
mod loopback;
mod mounts;
mod plan;
mod prepare;
mod program;
mod refusal;
mod rights;
mod root;
mod secrets;
mod watch;

use std::{
    fs, io,
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
    process::ExitCode,
};

use chrysalis_wire::{
    frame,
    room::{FromRoom, PREPARE_SOCKET_NAME, Plan, SOCKET_NAME},
};
use rustix::{
    fs::{FileType, Mode, fstat},
    pipe::{PipeFlags, pipe_with},
    process::{PidfdFlags, pidfd_open, umask},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space},
};

use crate::{
    refusal::{Refusal, not_started, unconfined},
    secrets::Secrets,
};

const HELP: &str = "\
chrysalis-room: walls around an engine.

The enclave starts it with a socket as standard input, and sends one plan. It is not started by hand.

hint: `chrysalis-host run IMAGE --configuration FILE --disks DIR` starts an enclave, which starts its rooms";

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| word == "--help") {
        let _ = writeln!(io::stdout(), "{HELP}");
        return ExitCode::SUCCESS;
    }
    kernel::close_inherited();
    let Some(mut enclave) = enclave() else {
        let _ = writeln!(io::stderr(), "standard input is not a socket\n\n{HELP}");
        return ExitCode::from(2);
    };
    match run(&mut enclave) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            // If the enclave is gone, there is no one to tell.
            let _ = frame::write(&mut enclave, &FromRoom::from(refusal));
            ExitCode::FAILURE
        }
    }
}

/// The enclave's socket, which is standard input; the three standard descriptors are /dev/null from here on.
fn enclave() -> Option<UnixStream> {
    let input = io::stdin().as_fd().try_clone_to_owned().ok()?;
    let mode = fstat(&input).ok()?.st_mode;
    if FileType::from_raw_mode(mode) != FileType::Socket {
        return None;
    }
    let null = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .ok()?;
    rustix::stdio::dup2_stdin(&null).ok()?;
    rustix::stdio::dup2_stdout(&null).ok()?;
    rustix::stdio::dup2_stderr(&null).ok()?;
    Some(UnixStream::from(input))
}

fn run(enclave: &mut UnixStream) -> Result<(), Refusal> {
    let plan: Plan = frame::read(enclave).map_err(not_started("the plan cannot be read"))?;
    plan::check(&plan)?;
    let secrets =
        Secrets::read(&plan, enclave).map_err(not_started("the secrets cannot be read"))?;
    umask(Mode::from_raw_mode(0o022));

    let bounded = cgroup::join(&plan)?;
    let outer = own_namespaces()?;
    if plan::has_loopback(&plan) {
        loopback::up().map_err(unconfined("the room's own loopback does not come up"))?;
    }
    let listener = prepare_run(&plan)?;

    let (status, tell) =
        pipe_with(PipeFlags::CLOEXEC).map_err(unconfined("a pipe cannot be made"))?;
    let Some(init) = kernel::fork().map_err(unconfined("the first process cannot be made"))? else {
        // Whoever holds the enclave's socket keeps it open; neither this process nor the engine may.
        let null = io::stdin().as_fd().try_clone_to_owned();
        if let Ok(null) = null {
            *enclave = UnixStream::from(null);
        }
        drop((status, listener, outer));
        init::run(&plan, secrets, bounded, tell);
    };
    // Its copy is in the engine's root by the time the engine starts; this one is of no use.
    drop((tell, secrets));
    // Threads, unlike children, must be in this process's own PID namespace.
    move_into_link_name_space(outer.as_fd(), Some(LinkNameSpaceType::ProcessID))
        .map_err(unconfined("the room cannot have threads"))?;
    let init = pidfd_open(init, PidfdFlags::empty())
        .map_err(unconfined("the first process cannot be watched"))?;
    carrier::confine(&plan)?;
    walled(status)?;
    if let (Some(listener), Some(port)) = (listener, plan.port) {
        carrier::start(listener, port).map_err(not_started("the port cannot be carried"))?;
    }
    frame::write(enclave, &FromRoom::Walled).map_err(not_started("the enclave is gone"))?;
    watch::until_an_end(enclave, &init);
    Ok(())
}

/// Namespaces for this process and its children; the PID namespace for its children alone, and the mounts for PID 1. Returns
/// the PID namespace of this process.
fn own_namespaces() -> Result<fs::File, Refusal> {
    let outer = fs::File::open("/proc/self/ns/pid").map_err(unconfined(
        "the kernel has no PID namespaces (hint: mount /proc)",
    ))?;
    let mut own = UnshareFlags::NEWNET
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP
        | UnshareFlags::NEWPID;
    // An image's kernel has neither System V's IPC nor message queues, so nothing to separate.
    let ipc = ["/proc/self/ns/ipc", "/proc/sysvipc", "/proc/sys/fs/mqueue"];
    own.set(
        UnshareFlags::NEWIPC,
        ipc.iter().any(|sign| Path::new(sign).exists()),
    );
    kernel::unshare(own).map_err(unconfined(
        "the kernel makes no namespaces (hint: run as root, on a kernel with NET_NS, PID_NS and UTS_NS)",
    ))?;
    Ok(outer)
}

/// Gives the engine its `/run`, without a socket that an earlier one left behind: some engines fail in silence on it.
/// Listens there for an engine that cannot.
fn prepare_run(plan: &Plan) -> Result<Option<UnixListener>, Refusal> {
    let run = Path::new(&plan.run);
    let socket = run.join(SOCKET_NAME);
    for socket in [&socket, &run.join(PREPARE_SOCKET_NAME)] {
        match fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(not_started("an old socket cannot be removed")(error));
            }
            _ => {}
        }
    }
    std::os::unix::fs::chown(&plan.run, Some(plan.user), Some(plan.user))
        .map_err(not_started("the folder for /run cannot be given away"))?;
    let listen = |_| UnixListener::bind(&socket).map_err(not_started("the socket cannot be made"));
    plan.port.map(listen).transpose()
}

/// Waits until the program has been started or not: until the last of those who could say so has closed the pipe. The last
/// word counts, because what starts a program can only say that it failed after it has said that it is ready.
fn walled(status: OwnedFd) -> Result<(), Refusal> {
    let mut words = Vec::new();
    fs::File::from(status)
        .read_to_end(&mut words)
        .map_err(not_started("the first process says nothing"))?;
    let mut words = words.as_slice();
    let mut last = FromRoom::NotStarted {
        why: "the first process ended before the program began (hint: raise memory_mib)".into(),
    };
    while let Ok(word) = frame::read(&mut words) {
        last = word;
    }
    match last {
        FromRoom::Walled => Ok(()),
        FromRoom::Unconfined { why } => Err(Refusal::Unconfined(why)),
        FromRoom::NotStarted { why } => Err(Refusal::NotStarted(why)),
        other => Err(Refusal::NotStarted(format!("{other:?}"))),
    }
}
