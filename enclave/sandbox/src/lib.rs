//! What the walls around a worker are made of. Which calls and files are let through, each worker says itself.

use anyhow::Context;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreated, Scope,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, TargetArch,
};
pub use seccompiler::{SeccompAction, SeccompRule};

/// System calls by number, each with the arguments that match; none: any arguments.
pub type Calls = Vec<(libc::c_long, Vec<SeccompRule>)>;

/// No core dumps and no debugger.
pub fn leave_no_traces() -> anyhow::Result<()> {
    let no_core = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, no_core).context("core dumps cannot be switched off")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("debuggers cannot be kept out")
}

/// Calls with any arguments.
pub fn any(calls: &[libc::c_long]) -> Calls {
    calls.iter().map(|call| (*call, vec![])).collect()
}

/// Only with this value of an argument, counted from 0; its low 32 bits.
pub fn equal(argument: u8, value: libc::c_int) -> anyhow::Result<SeccompRule> {
    rule(argument, SeccompCmpOp::Eq, value)
}

/// Only with this flag set in an argument, counted from 0; its low 32 bits.
pub fn having(argument: u8, flag: libc::c_int) -> anyhow::Result<SeccompRule> {
    let flags = SeccompCmpOp::MaskedEq(flag.unsigned_abs().into());
    rule(argument, flags, flag)
}

fn rule(argument: u8, operator: SeccompCmpOp, value: libc::c_int) -> anyhow::Result<SeccompRule> {
    let value = value.unsigned_abs().into();
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// Filters this thread's system calls, and those of the threads it makes. It adds to the filters that are there: of what
/// they answer, the kernel takes the strictest.
pub fn filter(
    calls: Calls,
    on_match: SeccompAction,
    otherwise: SeccompAction,
) -> anyhow::Result<()> {
    let calls = calls.into_iter().collect();
    let filter = SeccompFilter::new(calls, otherwise, on_match, TargetArch::x86_64)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)
        .context("the kernel has no seccomp filters; the worker does not run without")
}

/// What the caller of these calls is told: that there is no such call, or that it may not.
pub fn answer(error: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(error.unsigned_abs())
}

/// Files, TCP, sockets and signals, all of them closed until a rule opens some. A kernel that has no Landlock, or an older
/// one, forbids what it can.
pub fn everything_closed() -> anyhow::Result<RulesetCreated> {
    Ok(Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?)
}
