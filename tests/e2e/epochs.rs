//! A GPU that gets into trouble in the middle of a stream: within one epoch the stream ends by name, and what is left of the enclave's memory,
//! looked at in the instant before the process is gone, has no key and no prompt. The same look before finds the keys.
//!
//! The process is held there by the kernel (`PTRACE_O_TRACEEXIT`): it has run its last instruction, and its memory is still mapped.

#![allow(unsafe_code)]

use std::{
    fs,
    ptr::null_mut,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use chrysalis_tests::{
    epochs::{Scene, TROUBLES, assert_named},
    machine::Plan,
    memory::Memory,
};

/// The shortest that there is.
const EPOCH: Duration = Duration::from_mins(1);

/// The process of the enclave, which is the host's child.
fn enclave_of(host: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{host}/task/{host}/children"));
    let children = children.expect("the host's children");
    let named = |child: &&str| {
        let name = fs::read_to_string(format!("/proc/{child}/comm"));
        name.is_ok_and(|it| it.starts_with("chrysalis-encl"))
    };
    let child = children.split_whitespace().find(named);
    child.expect("an enclave").parse().expect("a number")
}

/// Follows a process to its exit and holds it there until told to let go.
fn hold_at_exit(process: u32) -> (Receiver<()>, Sender<()>, JoinHandle<()>) {
    let ((exits, exiting), (release, released)) = (channel(), channel());
    let process = i32::try_from(process).expect("a process");
    let follower = thread::spawn(move || {
        let options = libc::PTRACE_O_TRACEEXIT as usize as *mut libc::c_void;
        let nothing = null_mut::<libc::c_void>();
        // SAFETY: this request takes no pointers, only a number in the place of one.
        let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, process, nothing, options) };
        assert_eq!(seized, 0, "{}", std::io::Error::last_os_error());
        loop {
            let mut status = 0;
            // SAFETY: it writes one integer, which outlives the call.
            let stopped = unsafe { libc::waitpid(process, &raw mut status, libc::__WALL) };
            assert_eq!(stopped, process);
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                return;
            }
            let event = status >> 16;
            if event == libc::PTRACE_EVENT_EXIT {
                exits.send(()).expect("the test waits");
                let _: Result<(), _> = released.recv();
            }
            // A stop that is no event is a signal on its way.
            let signal = if event == 0 {
                libc::WSTOPSIG(status)
            } else {
                0
            };
            let signal = usize::try_from(signal).unwrap_or(0) as *mut libc::c_void;
            // SAFETY: as above.
            unsafe { libc::ptrace(libc::PTRACE_CONT, process, nothing, signal) };
        }
    });
    (exiting, release, follower)
}

#[test]
fn a_gpu_in_any_trouble_leaves_no_key_and_no_prompt() {
    for (trouble, reason, asked) in TROUBLES {
        if !ends(trouble, reason, asked) {
            chrysalis_test_support::skip("only the administrator may look into an enclave");
            return;
        }
    }
}

/// It ends when it is asked for evidence, or else at the end of the epoch. False if nobody here may look at its memory.
fn ends(trouble: &str, reason: &str, asked: bool) -> bool {
    let scene = Scene::begin(Plan::process(), EPOCH);
    let enclave = enclave_of(scene.machine.pid());
    let Some(before) = Memory::of(enclave) else {
        return false;
    };
    let (exiting, release, follower) = hold_at_exit(enclave);
    // Before anything signs: the key is not where it lies while it does.
    let keys = scene.keys(&before);
    let (_proxy, streams) = scene.stream();

    scene.turn_bad(trouble);
    if asked {
        scene.ask();
    }
    exiting
        .recv_timeout(2 * EPOCH)
        .expect("the enclave's end within an epoch");
    keys.assert_gone(&Memory::of(enclave).expect("its memory at the end"));
    release.send(()).expect("the follower");
    follower.join().expect("the enclave's end");

    assert_named(streams, reason);
    let (_, log) = scene.machine.ended();
    assert!(log.contains("trust_ended"), "{log}");
    true
}
