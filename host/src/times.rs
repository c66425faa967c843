//! How long a boot took, by stage: printed when the guest serves, and written for programs.
//!
//! The times are the guest's own, counted from its kernel's start: what came before, QEMU and the unpacking of the kernel,
//! is not in them.

use std::{fmt, time::Duration};

use chrysalis_wire::host::STAGES_OF_WEIGHTS;
use serde::Serialize;

use crate::guest::Stage;

/// A boot, from the kernel's start to the last stage that was passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Times {
    stages: Vec<Timed>,
    /// All of it.
    total_ms: u64,
    /// All but the stages that take as long as the weights are large.
    without_weights_ms: u64,
}

/// A stage, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Timed {
    name: String,
    /// When it was passed.
    at_ms: u64,
    /// How long after the stage before.
    took_ms: u64,
    /// Whether it waited for the weights or the engine.
    weights: bool,
}

impl Times {
    /// Of stages in the order in which they were passed.
    pub(crate) fn of(stages: &[Stage]) -> Self {
        let mut before = 0;
        let stages: Vec<_> = stages
            .iter()
            .map(|stage| {
                let at_ms = milliseconds(stage.at);
                let timed = Timed {
                    name: stage.name.clone(),
                    at_ms,
                    took_ms: at_ms.saturating_sub(before),
                    weights: STAGES_OF_WEIGHTS.contains(&&*stage.name),
                };
                before = at_ms;
                timed
            })
            .collect();
        let took = |counted: fn(&Timed) -> bool| {
            let counted = stages.iter().filter(|stage| counted(stage));
            counted
                .map(|stage| stage.took_ms)
                .fold(0, u64::saturating_add)
        };
        Self {
            total_ms: took(|_| true),
            without_weights_ms: took(|stage| !stage.weights),
            stages,
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for Times {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms| Duration::from_millis(ms).as_secs_f64();
        writeln!(to, "boot:     took  since the kernel's start")?;
        for stage in &self.stages {
            let weights = if stage.weights { " (weights)" } else { "" };
            writeln!(
                to,
                "  {:>8.3} s {:>8.3} s  {}{weights}",
                seconds(stage.took_ms),
                seconds(stage.at_ms),
                stage.name
            )?;
        }
        write!(
            to,
            "  {:>8.3} s without the weights, {:.3} s in all",
            seconds(self.without_weights_ms),
            seconds(self.total_ms)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(passed: &[(&str, u64)]) -> Vec<Stage> {
        let stage = |(name, at): &(&str, u64)| Stage {
            name: (*name).to_owned(),
            at: Duration::from_millis(*at),
        };
        passed.iter().map(stage).collect()
    }

    #[test]
    fn tells_the_boots_own_time_from_that_of_the_weights() {
        let times = Times::of(&stages(&[
            ("kernel started", 1500),
            ("weights opened", 1600),
            ("known answer given", 9000),
            ("serving", 9100),
        ]));
        assert_eq!(times.total_ms, 9100);
        assert_eq!(times.without_weights_ms, 1600);
        assert_eq!(
            times.to_string(),
            "boot:     took  since the kernel's start
     1.500 s    1.500 s  kernel started
     0.100 s    1.600 s  weights opened (weights)
     7.400 s    9.000 s  known answer given (weights)
     0.100 s    9.100 s  serving
     1.600 s without the weights, 9.100 s in all"
        );
        let json = serde_json::to_value(&times).unwrap();
        assert_eq!(json["stages"][2]["took_ms"], 7400);
        assert_eq!(json["stages"][2]["weights"], true);
        assert_eq!(json["without_weights_ms"], 1600);
    }

    #[test]
    fn a_guest_that_counts_backwards_gains_nothing() {
        let times = Times::of(&stages(&[("a", 500), ("b", 100), ("c", 700)]));
        assert_eq!(times.without_weights_ms, 1100);
        assert_eq!(Times::of(&[]).total_ms, 0);
        let endless = Times::of(&stages(&[("a", u64::MAX), ("b", 0), ("c", u64::MAX)]));
        assert_eq!(endless.total_ms, u64::MAX);
    }
}
