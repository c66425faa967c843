//! Children that never outlive this program, not even when it is killed.

use std::{io, process::Stdio};

use rustix::{
    io::Errno,
    process::{Signal, getpid, getppid, set_parent_process_death_signal},
};
use tokio::process::{Child, Command};

/// Spawns `command` without input and with its output piped. The child is killed when the value is dropped or when the
/// thread that spawned it ends, for whatever reason. A Ctrl-C in the terminal does not reach it: that is for us to pass
/// on in an orderly way.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let parent = getpid();
    let die_with_parent = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // A parent that died before the line above sends no signal.
        if getppid() == Some(parent) {
            Ok(())
        } else {
            Err(Errno::CHILD.into())
        }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two bare system calls,
    // prctl and getppid, and turns their results into values without allocating or locking.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(die_with_parent);
    }
    command.spawn()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, test_kill_process};
    use std::time::Duration;

    fn lives(child: u32) -> bool {
        Pid::from_raw(child.try_into().unwrap()).is_some_and(|pid| test_kill_process(pid).is_ok())
    }

    #[tokio::test]
    async fn a_child_dies_with_the_thread_that_spawned_it() {
        let child = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let child = spawn(Command::new("sleep").arg("600")).unwrap();
                let id = child.id().unwrap();
                assert!(lives(id));
                // As if this program were killed: nothing is dropped.
                std::mem::forget(child);
                id
            })
        })
        .join()
        .unwrap();
        // What is left is a zombie of ours at most.
        let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        for _ in 0..100 {
            if state().is_empty() || state().contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the child lives on: {}", state());
    }
}
