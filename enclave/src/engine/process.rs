//! The process that an engine runs in: no environment, no rights, no file but its socket, and never longer than its use.

use std::{
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream as StdUnixStream, process::CommandExt},
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::UnixStream;

use crate::machine;

/// The user and group without any right.
const NOBODY: u32 = 65534;

/// What to start.
#[derive(Debug)]
pub(super) enum Program {
    /// An executable, as a user without rights where the machine is ours to give rights away.
    File { path: PathBuf, unprivileged: bool },
    /// A function that plays the engine, on a thread.
    #[cfg(test)]
    Fake(fn(StdUnixStream)),
}

impl Program {
    /// Starts it with its end of a new socket pair as standard input; the other end is ours.
    pub(super) fn start(&self) -> io::Result<(Option<Process>, UnixStream)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let process = match self {
            Self::File { path, unprivileged } => {
                let mut command = Command::new(path);
                command
                    .env_clear()
                    .current_dir("/")
                    .process_group(0)
                    .stdin(OwnedFd::from(theirs))
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                if *unprivileged {
                    // With it go the supplementary groups.
                    command.uid(NOBODY).gid(NOBODY);
                }
                Some(Process(command.spawn()?))
            }
            #[cfg(test)]
            Self::Fake(play) => {
                let play = *play;
                std::thread::spawn(move || play(theirs));
                None
            }
        };
        Ok((process, UnixStream::from_std(ours)?))
    }
}

/// A child that does not outlive its use, nor do its children.
pub(super) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        match self.0.wait() {
            Ok(status) => tracing::info!(%status, "engine process over"),
            Err(error) => tracing::warn!(%error, "engine process lost"),
        }
        machine::reap_orphans();
    }
}
