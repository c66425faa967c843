//! What confines a worker. Each worker says itself which calls and files it is allowed.

pub mod calls;

use anyhow::{Context, ensure};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreated, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, TargetArch,
};
pub use seccompiler::{SeccompAction, SeccompRule};

/// System calls by number, each with the arguments that match; without rules, any arguments do.
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

/// Only with all of these values of arguments, counted from 0; their low 32 bits.
pub fn equals(arguments: &[(u8, libc::c_int)]) -> anyhow::Result<SeccompRule> {
    let conditions = arguments.iter().map(|(argument, value)| {
        let value = value.unsigned_abs().into();
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
    });
    let conditions = conditions.collect::<Result<_, _>>()?;
    Ok(SeccompRule::new(conditions)?)
}

/// Only with this flag set in an argument, counted from 0; its low 32 bits.
pub fn having(argument: u8, flag: libc::c_int) -> anyhow::Result<SeccompRule> {
    let flags = SeccompCmpOp::MaskedEq(flag.unsigned_abs().into());
    rule(argument, flags, flag)
}

/// Only with none of these flags set in an argument, counted from 0; its low 32 bits.
pub fn lacking(argument: u8, flags: libc::c_int) -> anyhow::Result<SeccompRule> {
    let none = SeccompCmpOp::MaskedEq(flags.unsigned_abs().into());
    rule(argument, none, 0)
}

fn rule(argument: u8, operator: SeccompCmpOp, value: libc::c_int) -> anyhow::Result<SeccompRule> {
    let value = value.unsigned_abs().into();
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// Filters this thread's system calls, and those of the threads it makes. It adds to the existing filters: the kernel takes
/// the strictest of their answers.
pub fn filter(
    calls: Calls,
    on_match: SeccompAction,
    otherwise: SeccompAction,
) -> anyhow::Result<()> {
    let calls = calls.into_iter().collect();
    let filter = SeccompFilter::new(calls, otherwise, on_match, TargetArch::x86_64)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)
        .context("the kernel has no seccomp filters; the worker does not run without them")
}

/// The error that these calls return: that there is no such call, or that it is not permitted.
pub fn answer(error: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(error.unsigned_abs())
}

/// The argument that runs a worker with [`Landlock::Partial`]: for machines whose kernel is not the image's.
pub const PARTIAL_WALLS: &str = "--dangerous-partial-walls";

/// How much of Landlock a worker insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landlock {
    /// All of it: a kernel that cannot enforce one part is an error. An image's own kernel enforces all.
    Whole,
    /// What the kernel has: for tests and development on any kernel.
    Partial,
}

impl Landlock {
    /// What a worker's arguments say: [`Landlock::Whole`] if there are none.
    pub fn of_arguments(arguments: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let mut landlock = Self::Whole;
        for argument in arguments {
            ensure!(
                argument == PARTIAL_WALLS,
                "the argument {argument:?} is unknown; the only one is {PARTIAL_WALLS}"
            );
            landlock = Self::Partial;
        }
        Ok(landlock)
    }

    /// Closes files, TCP, sockets and signals to this thread and those it makes, except what `open` adds.
    pub fn restrict(
        self,
        open: impl FnOnce(RulesetCreated) -> anyhow::Result<RulesetCreated>,
    ) -> anyhow::Result<RulesetStatus> {
        self.restrict_but(&[], open)
    }

    /// The same, but leaves some of it to the worker's other walls.
    pub fn restrict_but(
        self,
        left: &[Left],
        open: impl FnOnce(RulesetCreated) -> anyhow::Result<RulesetCreated>,
    ) -> anyhow::Result<RulesetStatus> {
        let closed = self.closed(left).context(INCOMPLETE)?;
        let status = open(closed)?.restrict_self().context(INCOMPLETE)?.ruleset;
        ensure!(
            self == Self::Partial || status == RulesetStatus::FullyEnforced,
            "{INCOMPLETE}: {status:?}"
        );
        Ok(status)
    }

    fn closed(self, left: &[Left]) -> Result<RulesetCreated, RulesetError> {
        let compatibility = match self {
            Self::Whole => CompatLevel::HardRequirement,
            Self::Partial => CompatLevel::BestEffort,
        };
        let mut scopes = Scope::from_all(NEEDED);
        if left.contains(&Left::Signals) {
            scopes.remove(Scope::Signal);
        }
        let mut rules = Ruleset::default()
            .set_compatibility(compatibility)
            .handle_access(AccessFs::from_all(NEEDED))?
            .scope(scopes)?;
        if !left.contains(&Left::Tcp) {
            rules = rules.handle_access(AccessNet::from_all(NEEDED))?;
        }
        rules.create()
    }
}

/// What Landlock may leave to a worker's other walls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// TCP: for a worker that has a network of its own, with no way out.
    Tcp,
    /// Signals: for a worker that has no call to send one but to the process that it looks after.
    Signals,
}

/// The version of Landlock that closes files, TCP, abstract sockets and signals: Linux 6.12 has it.
const NEEDED: ABI = ABI::V6;
const INCOMPLETE: &str =
    "the kernel does not enforce all of Landlock; the worker does not run with less";

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// The result of insisting on `landlock` when the kernel answers like one without Landlock. A filter is a thread's own.
    fn on_a_kernel_without_landlock(landlock: Landlock) -> anyhow::Result<RulesetStatus> {
        let inside = thread::spawn(move || {
            let absent = any(&[libc::SYS_landlock_create_ruleset]);
            filter(absent, answer(libc::EOPNOTSUPP), SeccompAction::Allow)?;
            landlock.restrict(Ok)
        });
        inside.join().unwrap()
    }

    #[test]
    fn a_kernel_that_does_not_enforce_all_of_landlock_is_refused() {
        let refused = on_a_kernel_without_landlock(Landlock::Whole).unwrap_err();
        assert!(refused.to_string().starts_with(INCOMPLETE), "{refused:#}");
    }

    #[test]
    fn whoever_asks_for_partial_walls_gets_what_there_is() {
        let status = on_a_kernel_without_landlock(Landlock::Partial).unwrap();
        assert_eq!(status, RulesetStatus::NotEnforced);
    }

    #[test]
    fn a_worker_that_is_told_nothing_insists_on_all() {
        let landlock =
            |arguments: &[&str]| Landlock::of_arguments(arguments.iter().map(ToString::to_string));
        assert_eq!(landlock(&[]).unwrap(), Landlock::Whole);
        assert_eq!(landlock(&[PARTIAL_WALLS]).unwrap(), Landlock::Partial);
        assert!(landlock(&["--dangerous-partial-wall"]).is_err());
    }
}
