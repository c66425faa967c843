//! Clocks that no longer agree: a machine that was suspended, paused, or restored from a copy. The host sets all but one of them, so
//! this finds accidents and clumsy hosts; whatever it finds, everything is asked again, and that decides.

#![allow(unsafe_code)]

use std::fmt;

use rustix::time::{ClockId, clock_gettime};

/// By how much two clocks may differ from one look to the next, in nanoseconds: more than a busy machine delays a reading.
const STEP: i128 = 500_000_000;
/// For how long the time stamp counter is compared with the clock before its rate counts, in nanoseconds.
const LEARN: i128 = 10_000_000_000;

/// All clocks at a moment, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    monotonic: i128,
    /// The same with the time for which the machine slept.
    since_boot: i128,
    wall: i128,
    /// Cycles, not nanoseconds.
    counter: i128,
}

/// The clocks, from look to look.
#[derive(Debug)]
pub(super) struct Clocks {
    first: Reading,
    last: Reading,
}

/// Which clocks disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jump {
    Slept,
    Set,
    Counter,
}

impl fmt::Display for Jump {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Slept => "the machine was suspended",
            Self::Set => "the wall clock was set, or the machine was restored",
            Self::Counter => {
                "the time stamp counter and the clock disagree: the machine was paused or restored"
            }
        })
    }
}

impl Clocks {
    pub(super) fn now() -> Self {
        let now = Reading::now();
        Self {
            first: now,
            last: now,
        }
    }

    /// What happened since the last look.
    pub(super) fn look(&mut self) -> Option<Jump> {
        self.look_at(Reading::now())
    }

    fn look_at(&mut self, now: Reading) -> Option<Jump> {
        let jump = jump(self.first, self.last, now);
        if jump.is_some() {
            // The counter may run at another rate from here on.
            self.first = now;
        }
        self.last = now;
        jump
    }
}

fn jump(first: Reading, last: Reading, now: Reading) -> Option<Jump> {
    let passed = now.monotonic - last.monotonic;
    let differs = |by: i128| (by - passed).abs() > STEP;
    if differs(now.since_boot - last.since_boot) {
        return Some(Jump::Slept);
    }
    if differs(now.wall - last.wall) {
        return Some(Jump::Set);
    }
    let (learnt, cycles) = (
        last.monotonic - first.monotonic,
        last.counter - first.counter,
    );
    if learnt < LEARN || cycles <= 0 {
        return None;
    }
    let counted = (now.counter - last.counter).saturating_mul(learnt) / cycles;
    differs(counted).then_some(Jump::Counter)
}

impl Reading {
    fn now() -> Self {
        let read = |clock| {
            let now = clock_gettime(clock);
            i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
        };
        Self {
            monotonic: read(ClockId::Monotonic),
            since_boot: read(ClockId::Boottime),
            wall: read(ClockId::Realtime),
            counter: counter(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn counter() -> i128 {
    // SAFETY: every x86-64 processor has it, and no kernel that we run under forbids it (`PR_SET_TSC`).
    i128::from(unsafe { std::arch::x86_64::_rdtsc() })
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> i128 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    /// A clock that has run for this long, with three cycles to the nanosecond.
    fn after(nanoseconds: i128) -> Reading {
        Reading {
            monotonic: nanoseconds,
            since_boot: 7 + nanoseconds,
            wall: 1_796_126_400 * SECOND + nanoseconds,
            counter: 3 * nanoseconds,
        }
    }

    /// What is found at a second look, a second later and changed like this, twenty seconds after the first.
    fn found(change: impl FnOnce(&mut Reading)) -> Option<Jump> {
        let mut clocks = Clocks {
            first: after(0),
            last: after(0),
        };
        assert_eq!(clocks.look_at(after(20 * SECOND)), None);
        let mut now = after(21 * SECOND);
        change(&mut now);
        let jump = clocks.look_at(now);
        // It is told once.
        let mut next = now;
        for (clock, by) in [
            (&mut next.monotonic, SECOND),
            (&mut next.since_boot, SECOND),
            (&mut next.wall, SECOND),
            (&mut next.counter, 3 * SECOND),
        ] {
            *clock += by;
        }
        assert_eq!(clocks.look_at(next), None);
        jump
    }

    #[test]
    fn clocks_that_run_alike_are_nothing_new() {
        assert_eq!(found(|_| {}), None);
        assert_eq!(found(|now| now.wall += STEP), None);
    }

    #[test]
    fn each_clock_that_jumps_is_found() {
        assert_eq!(found(|now| now.since_boot += STEP + 1), Some(Jump::Slept));
        assert_eq!(found(|now| now.wall += 3600 * SECOND), Some(Jump::Set));
        assert_eq!(found(|now| now.wall -= STEP + 1), Some(Jump::Set));
        assert_eq!(
            found(|now| now.counter += 3 * 60 * SECOND),
            Some(Jump::Counter)
        );
        // A counter that began anew, on another machine.
        assert_eq!(found(|now| now.counter = 5), Some(Jump::Counter));
    }

    #[test]
    fn a_counter_counts_only_once_its_rate_is_known() {
        let mut clocks = Clocks {
            first: after(0),
            last: after(SECOND),
        };
        let mut now = after(2 * SECOND);
        now.counter += 3 * 60 * SECOND;
        assert_eq!(clocks.look_at(now), None);
    }

    #[test]
    fn this_machines_clocks_agree_from_one_moment_to_the_next() {
        let mut clocks = Clocks::now();
        assert_eq!(clocks.look(), None);
    }
}
