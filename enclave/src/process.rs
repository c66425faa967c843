//! The process that a worker runs in: no environment but what it is given, no file but its socket, and no longer than it is
//! needed.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream as StdUnixStream, process::CommandExt},
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, kill_process, kill_process_group},
};
use tokio::net::UnixStream;

/// The code when the kernel does not fully confine a worker.
pub(crate) const WORKER_NOT_CONFINED: &str = "worker_not_confined";
/// What to do about it.
pub(crate) const CONFINE_WORKERS: &str = "launch the image with the kernel and the command line that it was built with: Linux 6.12 or newer, with landlock in lsm=";

/// The user and group without any privileges.
const NOBODY: u32 = 65534;

/// How long a killed process may take to end and to give its memory back.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// A file to run, and how.
#[derive(Debug)]
pub(crate) struct Executable {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its arguments.
    pub(crate) arguments: &'static [&'static str],
    /// Its whole environment.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// Whether to run as a user without privileges. If not, the worker drops them itself.
    pub(crate) unprivileged: bool,
}

impl Executable {
    /// Starts it with its end of a new socket pair as standard input; the other end is ours.
    pub(crate) fn start(&self) -> io::Result<(Process, UnixStream)> {
        let (ours, socket) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let process = self.run(socket)?;
        Ok((process, UnixStream::from_std(ours)?))
    }

    fn run(&self, socket: StdUnixStream) -> io::Result<Process> {
        let mut command = Command::new(&self.path);
        command
            .args(self.arguments)
            .env_clear()
            .envs(self.environment.iter().copied())
            .current_dir("/")
            .process_group(0)
            .stdin(OwnedFd::from(socket))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if self.unprivileged {
            // This drops the supplementary groups, too.
            command.uid(NOBODY).gid(NOBODY);
        }
        Ok(Process(command.spawn()?))
    }
}

/// A child that does not outlive its use, and neither do its children.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let deadline = Instant::now() + END_PATIENCE;
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => tracing::info!(%status, "worker process ended"),
                Err(error) => tracing::warn!(%error, "worker process lost"),
                Ok(None) if Instant::now() < deadline => {
                    thread::sleep(PAUSE);
                    continue;
                }
                // If a driver call does not return, a signal waits; the enclave's own end must not.
                Ok(None) => tracing::warn!("worker process does not end"),
            }
            break;
        }
        reap_orphans();
    }
}

/// Whether this is PID 1.
pub(crate) fn is_ours() -> bool {
    std::process::id() == 1
}

/// Ends every other process of a machine of our own, and waits until the kernel has their memory back, which it wipes: what engines
/// were told is nowhere then.
pub(crate) fn end_all() {
    let deadline = Instant::now() + END_PATIENCE;
    loop {
        others().for_each(|process| {
            let _ = kill_process(process, Signal::KILL);
        });
        // Orphans come to PID 1, so once it has no child there is no other process.
        match rustix::process::wait(WaitOptions::NOHANG) {
            Err(Errno::CHILD) => return,
            _ if Instant::now() > deadline => {
                tracing::error!("a process does not end");
                return;
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Every process but this one, as far as the kernel lists them.
fn others() -> impl Iterator<Item = Pid> {
    let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ours = i32::try_from(std::process::id()).ok();
    let others = numbers.filter(move |number| Some(*number) != ours);
    others.filter_map(Pid::from_raw)
}

/// Reaps every child that has ended: orphans come to PID 1.
fn reap_orphans() {
    if is_ours() {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    }
}
