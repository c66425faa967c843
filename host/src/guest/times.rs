//! How long a boot takes, by stage: a line as each is passed, and all of them for programs.
//!
//! The times are the guest's own, counted from its kernel's start: what came before, QEMU and the unpacking of the kernel,
//! is not in them.

use std::{fmt, time::Duration};

use chrysalis_wire::boot;
use serde::Serialize;

/// A stage of the boot, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stage {
    /// Its name, as the guest says it.
    pub(crate) name: String,
    /// When it was passed.
    at_ms: u64,
    /// How long after the stage before.
    took_ms: u64,
    /// Whether it waited for disks or engines.
    models: bool,
}

impl Stage {
    /// What was passed after `before`.
    pub(crate) fn after(before: Option<&Self>, name: String, at_ms: u64) -> Self {
        Self {
            at_ms,
            took_ms: at_ms.saturating_sub(before.map_or(0, |stage| stage.at_ms)),
            models: boot::Stage::named(&name).is_some_and(boot::Stage::waits_for_models),
            name,
        }
    }

    /// When it was passed, in seconds.
    pub(crate) fn at(&self) -> f64 {
        seconds(self.at_ms)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let models = if self.models { " (models)" } else { "" };
        let (at, took) = (self.at(), seconds(self.took_ms));
        write!(to, "{at:>8.3} s {took:>+8.3}  {}{models}", self.name)
    }
}

/// A boot, from the kernel's start to the last stage that was passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Times {
    stages: Vec<Stage>,
    /// All of it.
    total_ms: u64,
    /// All but the stages that take as long as the models are large.
    without_models_ms: u64,
}

impl Times {
    /// Of stages in the order in which they were passed.
    pub(crate) fn of(stages: Vec<Stage>) -> Self {
        let took = |counted: fn(&Stage) -> bool| {
            let counted = stages.iter().filter(|stage| counted(stage));
            counted
                .map(|stage| stage.took_ms)
                .fold(0, u64::saturating_add)
        };
        Self {
            total_ms: took(|_| true),
            without_models_ms: took(|stage| !stage.models),
            stages,
        }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without = seconds(self.without_models_ms);
        write!(to, "{without:>8.3} s of it without the models")
    }
}

fn seconds(milliseconds: u64) -> f64 {
    Duration::from_millis(milliseconds).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(passed: &[(&str, u64)]) -> Times {
        let mut stages = Vec::new();
        for (name, at) in passed {
            let stage = Stage::after(stages.last(), (*name).to_owned(), *at);
            stages.push(stage);
        }
        Times::of(stages)
    }

    #[test]
    fn tells_the_boots_own_time_from_that_of_the_models() {
        let times = times(&[
            ("kernel started", 1500),
            ("disks opened", 1600),
            ("known answers given", 9000),
            ("serving", 9100),
        ]);
        assert_eq!(times.total_ms, 9100);
        assert_eq!(times.without_models_ms, 1600);
        let lines: Vec<_> = times.stages.iter().map(Stage::to_string).collect();
        assert_eq!(
            lines,
            [
                "   1.500 s   +1.500  kernel started",
                "   1.600 s   +0.100  disks opened (models)",
                "   9.000 s   +7.400  known answers given (models)",
                "   9.100 s   +0.100  serving",
            ]
        );
        assert_eq!(times.to_string(), "   1.600 s of it without the models");
        let json = serde_json::to_value(&times).unwrap();
        assert_eq!(json["stages"][2]["took_ms"], 7400);
        assert_eq!(json["stages"][2]["models"], true);
        assert_eq!(json["without_models_ms"], 1600);
    }

    #[test]
    fn a_guest_that_counts_backwards_gains_nothing() {
        assert_eq!(
            times(&[("a", 500), ("b", 100), ("c", 700)]).without_models_ms,
            1100
        );
        assert_eq!(times(&[]).total_ms, 0);
        assert_eq!(
            times(&[("a", u64::MAX), ("b", 0), ("c", u64::MAX)]).total_ms,
            u64::MAX
        );
    }
}
