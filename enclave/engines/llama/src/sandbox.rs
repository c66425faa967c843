//! What confines the worker, before the first message is read: no new privileges, no core dumps, no debugger, and a list of
//! the system calls that llama.cpp and Rust's library make; any other kills the worker. After `Load`, Landlock leaves one
//! readable file; after loading, none can be opened.
//!
//! The calls were found by tracing the worker, natively and under emulation: loading, generating with one thread and
//! with several, being cancelled, failing to load.

use chrysalis_sandbox::{
    Landlock, SeccompAction, answer, any, equal, filter, having, leave_no_traces,
};
use landlock::{AccessFs, PathBeneath, PathFd, RulesetCreatedAttr};

/// Calls that are needed, with any arguments.
const ALLOWED: &[libc::c_long] = &[
    // Memory
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    // Threads
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Clocks, if the kernel offers none that can be read without a call; randomness; what the machine has
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_sysinfo,
    libc::SYS_prlimit64,
    // The socket
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    // Output on stderr and the backtrace of a panic, which fail later: see `shut`
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_getcwd,
    // The weights
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_fadvise64,
    // The next restrictions
    libc::SYS_prctl,
    libc::SYS_seccomp,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// What the worker no longer needs once it has loaded.
const FILES: &[libc::c_long] = &[
    libc::SYS_openat,
    libc::SYS_prctl,
    libc::SYS_seccomp,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// Applies the restrictions that need no argument. Before any thread is made: threads inherit them.
pub(crate) fn shut() -> anyhow::Result<()> {
    leave_no_traces()?;
    let mut allowed = any(ALLOWED);
    allowed.extend([
        (libc::SYS_clone, vec![having(0, libc::CLONE_THREAD)?]),
        (libc::SYS_fcntl, vec![equal(1, libc::F_DUPFD_CLOEXEC)?]),
        (libc::SYS_tgkill, vec![equal(2, libc::SIGABRT)?]),
    ]);
    // Answered as by a kernel without them. `clone3`: its flags are in memory, where no filter sees them; the C library
    // falls back to `clone`. `write`: llama.cpp may print what it is working on; the socket is written with `sendto`.
    let mut absent = any(&[
        libc::SYS_clone3,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_getcwd,
    ]);
    absent.extend([
        (libc::SYS_mmap, vec![having(2, libc::PROT_EXEC)?]),
        (libc::SYS_mprotect, vec![having(2, libc::PROT_EXEC)?]),
    ]);
    filter(allowed, SeccompAction::Allow, SeccompAction::KillProcess)?;
    filter(absent, answer(libc::ENOSYS), SeccompAction::Allow)
}

/// Leaves one readable file, no writable one, and no TCP.
pub(crate) fn allow_to_read_only(weights: PathFd, landlock: Landlock) -> anyhow::Result<()> {
    let open = PathBeneath::new(weights, AccessFs::ReadFile);
    landlock.restrict(|closed| Ok(closed.add_rule(open)?))?;
    Ok(())
}

/// From here on no file can be opened. What is mapped stays mapped.
pub(crate) fn forbid_files() -> anyhow::Result<()> {
    filter(any(FILES), answer(libc::ENOSYS), SeccompAction::Allow)
}
