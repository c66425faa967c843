//! Starts the program that prepares what an engine reads, once for each connection to a socket of its own. Each of a few processes
//! takes one connection at a time, so that is how many run at once. Within the engine's walls, and with no more calls than a
//! compiled engine has.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            net::{UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    process::{Command, exit},
    time::Duration,
};

use chrysalis_wire::{
    frame,
    room::{
        FromRoom, MAX_PREPARING, PREPARE_KILLED, PREPARE_SOCKET, PREPARED, Plan, Prepare, Walls,
    },
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid},
    stdio::{dup2_stdin, dup2_stdout},
};

use crate::{
    calls, kernel, program,
    refusal::{Refusal, not_started, unconfined},
};

/// How long a client may pause in a file of which the program needs no more.
const DRAIN: Duration = Duration::from_secs(5);

/// Starts those who take connections, if the plan has a program for them. The room ends with any of them.
pub(crate) fn start(plan: &Plan, tell: &mut File) -> Result<Vec<Pid>, Refusal> {
    let Some(prepare) = &plan.prepare else {
        return Ok(Vec::new());
    };
    let listener = UnixListener::bind(PREPARE_SOCKET)
        .map_err(not_started("the socket for preparing cannot be made"))?;
    let mut started = Vec::new();
    for _ in 0..MAX_PREPARING {
        let fork = kernel::fork().map_err(not_started("preparing gets no process"))?;
        match fork {
            Some(child) => started.push(child),
            None => take_all(plan, prepare, &listener, tell),
        }
    }
    Ok(started)
}

fn take_all(plan: &Plan, prepare: &Prepare, listener: &UnixListener, tell: &mut File) -> ! {
    let confined = program::close_files(plan)
        .and_then(|()| calls::shut(calls::preparer()?))
        .map_err(unconfined("what prepares stays open"));
    if let Err(refusal) = confined {
        let _ = frame::write(tell, &FromRoom::from(refusal));
        exit(1);
    }
    // The pipe closes when the last who could say something has.
    match File::open("/") {
        Ok(nothing) => drop(std::mem::replace(tell, nothing)),
        Err(_) => exit(1),
    }
    let engine = Plan {
        walls: Walls::Native,
        port: None,
        ..plan.clone()
    };
    loop {
        if let Ok((client, _)) = listener.accept() {
            let code = answer(&engine, prepare, &client).unwrap_or(PREPARE_KILLED);
            let [a, b, c, d] = PREPARED;
            // A client that is gone needs no code.
            let _ = (&client).write_all(&[a, b, c, d, code]);
            drain(&client);
        }
    }
}

/// Runs the program for one connection: its exit code.
fn answer(engine: &Plan, prepare: &Prepare, client: &UnixStream) -> io::Result<u8> {
    let Some(child) = kernel::fork()? else {
        become_it(engine, prepare, client);
    };
    let process = pidfd_open(child, PidfdFlags::empty())?;
    wait(&process, client, prepare.seconds);
    // If it has ended, this does nothing.
    let _ = pidfd_send_signal(&process, Signal::KILL);
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(ended) => {
                let code = ended.and_then(|(_, status)| status.exit_status());
                let code = code.and_then(|code| u8::try_from(code).ok());
                return Ok(code.unwrap_or(PREPARE_KILLED));
            }
        }
    }
}

/// Reads what the program left of its file: a socket that closes on unread bytes takes the answer back.
fn drain(mut client: &UnixStream) {
    let _ = client.set_read_timeout(Some(DRAIN));
    let mut piece = vec![0; 32 << 10];
    while let Ok(1..) = client.read(&mut piece) {}
}

/// Until the program has ended, the client is gone, or time is up.
fn wait(process: &OwnedFd, client: &UnixStream, seconds: u32) {
    let mut ends = [
        PollFd::new(process, PollFlags::IN),
        PollFd::from_borrowed_fd(client.as_fd(), PollFlags::empty()),
    ];
    let time = Timespec {
        tv_sec: seconds.into(),
        tv_nsec: 0,
    };
    // No signal has a handler here that would end the wait early.
    let _ = poll(&mut ends, Some(&time));
}

/// Standard error stays what it is for the whole room: nothing.
fn become_it(engine: &Plan, prepare: &Prepare, client: &UnixStream) -> ! {
    let connected = dup2_stdin(client).and_then(|()| dup2_stdout(client));
    if connected.is_ok() && calls::of(engine).and_then(calls::shut).is_ok() {
        // Returns only if it fails.
        let _ = Command::new(&prepare.program).env_clear().exec();
    }
    exit(PREPARE_KILLED.into())
}
