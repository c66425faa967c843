//! System calls that Rust calls unsafe, each made where it is safe: while this process has one thread.
#![allow(unsafe_code)]

use std::{io, os::raw::c_uint};

use rustix::{process::Pid, thread::UnshareFlags};

/// Closes every descriptor but the three standard ones. First of all: nothing in this process may own one yet.
pub(crate) fn close_inherited() {
    // SAFETY: called before anything is opened, so no value of this process owns a descriptor that this closes.
    unsafe { libc::close_range(3, c_uint::MAX, 0) };
}

/// Moves this process to namespaces of its own.
pub(crate) fn unshare(namespaces: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: none of the callers' flags is `FILES`, the one that is unsafe: descriptors stay shared.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }
}

/// Another process like this one: its number, or none in the new process.
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has one thread, so the new one finds no lock that is held and no memory in between two states.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        child => Ok(Pid::from_raw(child)),
    }
}
