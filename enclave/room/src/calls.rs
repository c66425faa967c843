//! The system calls of each process of a room. Lists of what is allowed: whatever is not on one does not exist.
//!
//! An unlisted call is answered as by a kernel that does not have it, and does not kill. C libraries fall back from such
//! an answer (from `clone3`, whose flags no filter sees, to `clone`), and interpreters try much that they can do without; a
//! hostile engine gains nothing by it, because no answer tells it more than the list, which is public. So the same engine
//! goes on under a newer C library, and there is one rule for all.
//!
//! On no list, whatever the walls: `ptrace`, `process_vm_*`, `pidfd_getfd`, `io_uring_*`, `userfaultfd`, `bpf`,
//! `perf_event_open`, `unshare`, `setns`, mounts, modules, keys, `kexec_*`, System V's IPC; nor a socket to the host (`AF_VSOCK`, which no
//! network namespace confines), to the kernel (`AF_NETLINK`) or to devices (`AF_PACKET`).

mod lists;

use chrysalis_sandbox::{
    Calls, SeccompAction, answer, any,
    calls::{FILES, PROGRAM},
    equal, equals, filter, having, lacking,
};
use chrysalis_wire::room::{Plan, Walls};
use libc::c_long;

use self::lists::{CONNECTIONS, ENGINE, PYTHON};
use crate::plan::has_loopback;

/// What the room's first process does once it is confined: carries connections, and ends the engine.
const CARRIER: &[c_long] = &[
    libc::SYS_connect,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_pidfd_send_signal,
];

/// What PID 1 does once it is confined.
const INIT: &[c_long] = &[
    libc::SYS_wait4,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_munmap,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What those do besides who wait for connections and start a program for each.
const PREPARER: &[c_long] = &[
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_seccomp,
];

/// Namespaces that `clone` could make.
const NEW_NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// Allows these calls to this process and those it makes, and no other.
pub(crate) fn shut(calls: Calls) -> anyhow::Result<()> {
    filter(calls, SeccompAction::Allow, answer(libc::ENOSYS))
}

/// The engine's.
pub(crate) fn of(plan: &Plan) -> anyhow::Result<Calls> {
    let mut calls = any(&[PROGRAM, CONNECTIONS, FILES, ENGINE].concat());
    let families: &[libc::c_int] = if has_loopback(plan) {
        &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6]
    } else {
        &[libc::AF_UNIX]
    };
    let mut sockets = rules(families, |family| equal(0, family))?;
    match plan.walls {
        Walls::Native => calls.extend(threads()?),
        Walls::Python => {
            // Gloo, through which PyTorch's processes meet, asks which addresses there are: 127.0.0.1, for the network is the room's own.
            sockets.push(equals(&[(0, libc::AF_NETLINK), (2, libc::NETLINK_ROUTE)])?);
            calls.extend(any(PYTHON));
            calls.push((libc::SYS_clone, vec![lacking(0, NEW_NAMESPACES)?]));
            calls.push((libc::SYS_socketpair, vec![equal(0, libc::AF_UNIX)?]));
            // ZeroMQ gives each of its threads the policy that it has, and aborts where it may not. None is a real-time one.
            calls.push((
                libc::SYS_sched_setscheduler,
                vec![equal(1, libc::SCHED_OTHER)?],
            ));
        }
    }
    calls.push((libc::SYS_socket, sockets));
    Ok(calls)
}

/// The room's first process's.
pub(crate) fn carrier() -> anyhow::Result<Calls> {
    let mut calls = any(&[PROGRAM, CONNECTIONS, CARRIER].concat());
    calls.extend(threads()?);
    calls.push((libc::SYS_socket, vec![equal(0, libc::AF_INET)?]));
    Ok(calls)
}

/// That of those who start the program that prepares. It is also that program's, which gets the stricter one of a compiled engine
/// besides.
pub(crate) fn preparer() -> anyhow::Result<Calls> {
    let mut calls = any(&[PROGRAM, CONNECTIONS, FILES, ENGINE, PREPARER].concat());
    calls.push((libc::SYS_clone, vec![lacking(0, NEW_NAMESPACES)?]));
    let names = [
        libc::PR_SET_NAME,
        libc::PR_GET_NAME,
        libc::PR_SET_NO_NEW_PRIVS,
    ];
    calls.push((libc::SYS_prctl, rules(&names, |name| equal(0, name))?));
    calls.push((libc::SYS_socket, vec![equal(0, libc::AF_UNIX)?]));
    calls.push((libc::SYS_tgkill, vec![equal(2, libc::SIGABRT)?]));
    Ok(calls)
}

/// PID 1's.
pub(crate) fn init() -> Calls {
    any(INIT)
}

/// Threads and no processes; their names; the end of a program that finds a fault in itself.
fn threads() -> anyhow::Result<Calls> {
    Ok(vec![
        (libc::SYS_clone, vec![having(0, libc::CLONE_THREAD)?]),
        (
            libc::SYS_prctl,
            rules(&[libc::PR_SET_NAME, libc::PR_GET_NAME], |name| {
                equal(0, name)
            })?,
        ),
        (libc::SYS_tgkill, vec![equal(2, libc::SIGABRT)?]),
    ])
}

fn rules<R>(
    values: &[libc::c_int],
    rule: impl Fn(libc::c_int) -> anyhow::Result<R>,
) -> anyhow::Result<Vec<R>> {
    values.iter().map(|value| rule(*value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::sound;

    /// Calls that no engine may make, whatever its walls.
    const NEVER: &[c_long] = &[
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_userfaultfd,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_clone3,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_fsmount,
        libc::SYS_mount_setattr,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_kexec_load,
        libc::SYS_kexec_file_load,
        libc::SYS_reboot,
        libc::SYS_setuid,
        libc::SYS_setresuid,
        libc::SYS_capset,
        libc::SYS_open_by_handle_at,
        libc::SYS_swapon,
        libc::SYS_iopl,
        libc::SYS_mknod,
        libc::SYS_mknodat,
        libc::SYS_shmget,
        libc::SYS_mq_open,
    ];

    fn all() -> [Calls; 5] {
        let mut python = sound();
        python.walls = Walls::Python;
        let engines = [of(&sound()), of(&python), carrier(), preparer()].map(Result::unwrap);
        let [native, python, carrier, preparer] = engines;
        [native, python, carrier, preparer, init()]
    }

    #[test]
    fn no_list_has_a_call_that_leads_out() {
        for calls in all() {
            for (call, _) in calls {
                assert!(!NEVER.contains(&call), "{call}");
            }
        }
    }

    #[test]
    fn no_call_is_listed_twice() {
        for calls in all() {
            let mut calls: Vec<_> = calls.into_iter().map(|(call, _)| call).collect();
            calls.sort_unstable();
            let all = calls.len();
            calls.dedup();
            assert_eq!(calls.len(), all);
        }
    }
}
