//! Waits until the engine ends, or the enclave does not want it any more.

use std::os::{
    fd::{AsFd, OwnedFd},
    unix::net::UnixStream,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid},
};

/// Returns when nothing of the engine is left. What the enclave could still send is nothing that a room knows, so it counts
/// as an end.
pub(crate) fn until_an_end(enclave: &UnixStream, init: &OwnedFd) {
    let mut ends = [
        PollFd::new(enclave, PollFlags::IN),
        PollFd::new(init, PollFlags::IN),
    ];
    while let Err(Errno::INTR) = poll(&mut ends, None) {}
    // If this fails, PID 1 still dies with this process.
    if pidfd_send_signal(init, Signal::KILL).is_err() {
        return;
    }
    // It has ended only when its whole namespace has.
    while let Err(Errno::INTR) = waitid(WaitId::PidFd(init.as_fd()), WaitIdOptions::EXITED) {}
}
