//! The walls of the room. Put up before the first message is read: no new privileges, no core dumps, no debugger, and a
//! list of the system calls that llama.cpp and Rust's library make; any other kills the worker. After `Load`, Landlock
//! leaves one readable file; after loading, none is opened any more.
//!
//! The calls were found by tracing the worker, natively and under emulation: loading, generating with one thread and
//! with several, being cancelled, failing to load.

use std::path::Path;

use anyhow::Context;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, Scope,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

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
    // Clocks, where the kernel offers none that is read without a call; chance; what the machine has
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_sysinfo,
    libc::SYS_prlimit64,
    // The socket
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    // Words on stderr and the backtrace of a panic, which come to nothing: see `shut`
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
    // The next walls
    libc::SYS_prctl,
    libc::SYS_seccomp,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// What the worker needs no more when it has loaded.
const FILES: &[libc::c_long] = &[
    libc::SYS_openat,
    libc::SYS_prctl,
    libc::SYS_seccomp,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// Puts up the walls that need no argument. Before any thread is made: threads inherit them.
pub(crate) fn shut() -> anyhow::Result<()> {
    let no_core = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, no_core).context("core dumps cannot be switched off")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("debuggers cannot be kept out")?;

    let mut allowed: Vec<_> = ALLOWED.iter().map(|call| (*call, vec![])).collect();
    allowed.extend([
        (libc::SYS_clone, vec![having(0, libc::CLONE_THREAD)?]),
        (libc::SYS_fcntl, vec![equal(1, libc::F_DUPFD_CLOEXEC)?]),
        (libc::SYS_tgkill, vec![equal(2, libc::SIGABRT)?]),
    ]);
    // Answered as by a kernel that lacks them. `clone3`: its flags lie in memory, where no filter sees them; the C
    // library falls back to `clone`. `write`: llama.cpp may print what it works on; the socket is written by `sendto`.
    let absent = vec![
        (libc::SYS_clone3, vec![]),
        (libc::SYS_write, vec![]),
        (libc::SYS_writev, vec![]),
        (libc::SYS_getcwd, vec![]),
        (libc::SYS_mmap, vec![having(2, libc::PROT_EXEC)?]),
        (libc::SYS_mprotect, vec![having(2, libc::PROT_EXEC)?]),
    ];
    apply(allowed, SeccompAction::Allow, SeccompAction::KillProcess)?;
    apply(
        absent,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        SeccompAction::Allow,
    )
}

/// Leaves one file that can be read and none that can be written, and no TCP. A kernel that has no Landlock, or an older
/// one, forbids what it can: the enclave shows the worker no other files in any case.
pub(crate) fn allow_to_read_only(weights: &str) -> anyhow::Result<()> {
    let file = PathFd::new(Path::new(weights))?;
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rule(PathBeneath::new(file, AccessFs::ReadFile))?
        .restrict_self()?;
    Ok(())
}

/// Opens no file any more. What is mapped stays mapped.
pub(crate) fn forbid_files() -> anyhow::Result<()> {
    let files = FILES.iter().map(|call| (*call, vec![])).collect();
    apply(
        files,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        SeccompAction::Allow,
    )
}

type Rules = Vec<(libc::c_long, Vec<SeccompRule>)>;

fn apply(rules: Rules, on_match: SeccompAction, otherwise: SeccompAction) -> anyhow::Result<()> {
    let filter = SeccompFilter::new(
        rules.into_iter().collect(),
        otherwise,
        on_match,
        TargetArch::x86_64,
    )?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)
        .context("the kernel has no seccomp filters; the worker does not run without")
}

fn equal(argument: u8, value: libc::c_int) -> anyhow::Result<SeccompRule> {
    rule(argument, SeccompCmpOp::Eq, value)
}

fn having(argument: u8, flag: libc::c_int) -> anyhow::Result<SeccompRule> {
    rule(
        argument,
        SeccompCmpOp::MaskedEq(flag.unsigned_abs().into()),
        flag,
    )
}

fn rule(argument: u8, operator: SeccompCmpOp, value: libc::c_int) -> anyhow::Result<SeccompRule> {
    let value = value.unsigned_abs().into();
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}
