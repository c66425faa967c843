//! The system calls of each process of a room. Lists of what is allowed: whatever is not on one does not exist.
//!
//! An unlisted call is answered as by a kernel that does not have it, and does not kill. C libraries fall back from such
//! an answer (from `clone3`, whose flags no filter sees, to `clone`), and interpreters try much that they can do without; a
//! hostile engine gains nothing by it, because no answer tells it more than the list, which is public. So the same engine
//! goes on under a newer C library, and there is one rule for all.
//!
//! On no list, whatever the walls: `ptrace`, `process_vm_*`, `pidfd_getfd`, `io_uring_*`, `userfaultfd`, `bpf`,
//! `perf_event_open`, `unshare`, `setns`, mounts, modules, keys, `kexec_*`; nor a socket to the host (`AF_VSOCK`, which no
//! network namespace confines), to the kernel (`AF_NETLINK`) or to devices (`AF_PACKET`).

use chrysalis_sandbox::{Calls, SeccompAction, answer, any, equal, filter, having, lacking};
use chrysalis_wire::room::{Plan, Walls};
use libc::c_long;

use crate::plan::has_loopback;

/// Memory, threads, clocks: what any program does. Found by tracing llama.cpp's server and Rust's library.
const COMMON: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_yield,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_time,
    libc::SYS_getrandom,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_prlimit64,
    // What is open already
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_poll,
    libc::SYS_ppoll,
    // Connections
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
];

/// Files, as far as the mounts and Landlock let them be opened, and a socket of one's own: what a compiled engine does.
const FILES: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_arch_prctl,
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_pread64,
    libc::SYS_lseek,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_ftruncate,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
];

/// What an interpreter and its libraries do besides: processes, and files in every way.
const PYTHON: &[c_long] = &[
    // Processes
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_getppid,
    libc::SYS_getpgrp,
    libc::SYS_getpgid,
    libc::SYS_setpgid,
    libc::SYS_getsid,
    libc::SYS_setsid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_capget,
    libc::SYS_prctl,
    libc::SYS_getrusage,
    libc::SYS_getrlimit,
    libc::SYS_setrlimit,
    libc::SYS_times,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_getparam,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    // Timers
    libc::SYS_alarm,
    libc::SYS_pause,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_signalfd4,
    // Memory, which a GPU's driver pins and libraries place
    libc::SYS_mincore,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    libc::SYS_msync,
    libc::SYS_memfd_create,
    libc::SYS_get_mempolicy,
    libc::SYS_set_mempolicy,
    libc::SYS_mbind,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmdt,
    // Files
    libc::SYS_creat,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_truncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_dup,
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_pipe,
    libc::SYS_close_range,
    libc::SYS_ioctl,
    libc::SYS_getdents,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_umask,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    libc::SYS_chmod,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_utimensat,
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_flistxattr,
    // Connections between its processes
    libc::SYS_connect,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_epoll_create,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd,
];

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

/// Namespaces that `clone` could make.
const NEW_NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// Allows these calls to this process and those it makes, and no other.
pub(crate) fn shut(calls: anyhow::Result<Calls>) -> anyhow::Result<()> {
    filter(calls?, SeccompAction::Allow, answer(libc::ENOSYS))
}

/// The engine's.
pub(crate) fn of(plan: &Plan) -> anyhow::Result<Calls> {
    let mut calls = any(COMMON);
    calls.extend(any(FILES));
    let families: &[libc::c_int] = if has_loopback(plan) {
        &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6]
    } else {
        &[libc::AF_UNIX]
    };
    calls.push((
        libc::SYS_socket,
        rules(families, |family| equal(0, family))?,
    ));
    match plan.walls {
        Walls::Native => calls.extend(threads()?),
        Walls::Python => {
            calls.extend(any(PYTHON));
            calls.push((libc::SYS_clone, vec![lacking(0, NEW_NAMESPACES)?]));
            calls.push((libc::SYS_socketpair, vec![equal(0, libc::AF_UNIX)?]));
        }
    }
    Ok(calls)
}

/// The room's first process's.
pub(crate) fn carrier() -> anyhow::Result<Calls> {
    let mut calls = any(COMMON);
    calls.extend(any(CARRIER));
    calls.extend(threads()?);
    calls.push((libc::SYS_socket, vec![equal(0, libc::AF_INET)?]));
    Ok(calls)
}

/// PID 1's.
pub(crate) fn init() -> anyhow::Result<Calls> {
    Ok(any(INIT))
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
    ];

    #[test]
    fn no_list_has_a_call_that_leads_out() {
        let mut python = sound();
        python.walls = Walls::Python;
        for calls in [of(&sound()), of(&python), carrier(), init()] {
            for (call, _) in calls.unwrap() {
                assert!(!NEVER.contains(&call), "{call}");
            }
        }
    }

    #[test]
    fn no_call_is_listed_twice() {
        let mut python = sound();
        python.walls = Walls::Python;
        for calls in [of(&sound()), of(&python), carrier(), init()] {
            let mut calls: Vec<_> = calls.unwrap().into_iter().map(|(call, _)| call).collect();
            calls.sort_unstable();
            let all = calls.len();
            calls.dedup();
            assert_eq!(calls.len(), all);
        }
    }
}
