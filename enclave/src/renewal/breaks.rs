//! Engines that break twice within a minute.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// Within how long the second counts.
const WITHIN: Duration = Duration::from_mins(1);

/// When each engine was last seen to have broken.
#[derive(Debug, Default)]
pub(super) struct Breaks(HashMap<String, Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// How often it has broken since boot.
    times: u64,
    last: Option<Instant>,
}

impl Breaks {
    /// A model whose engine has broken twice within a minute, by how often each has broken so far.
    pub(super) fn look<'a>(
        &mut self,
        now: Instant,
        counts: impl Iterator<Item = (&'a str, u64)>,
    ) -> Option<&'a str> {
        let mut twice = None;
        for (model, times) in counts {
            let seen = self.0.entry(model.to_owned()).or_default();
            let new = times.saturating_sub(seen.times);
            let last = seen
                .last
                .filter(|last| now.saturating_duration_since(*last) <= WITHIN);
            if new >= 2 || (new == 1 && last.is_some()) {
                // What was told counts no more.
                seen.last = None;
                twice = Some(model);
            } else if new == 1 {
                seen.last = Some(now);
            }
            seen.times = times;
        }
        twice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told when one engine has broken so often at these seconds.
    fn told(counts: &[(u64, u64)]) -> Vec<bool> {
        let mut breaks = Breaks::default();
        let begin = Instant::now();
        let look = |&(second, times): &(u64, u64)| {
            let now = begin + Duration::from_secs(second);
            breaks.look(now, [("m", times)].into_iter()).is_some()
        };
        counts.iter().map(look).collect()
    }

    #[test]
    fn two_within_a_minute_are_told_once() {
        assert_eq!(
            told(&[(0, 0), (1, 1), (2, 1), (60, 2), (61, 2)]),
            [false, false, false, true, false]
        );
        assert_eq!(
            told(&[(0, 2), (1, 2), (2, 3), (3, 4)]),
            [true, false, false, true]
        );
    }

    #[test]
    fn two_with_more_than_a_minute_between_are_not() {
        assert_eq!(told(&[(0, 1), (61, 2), (121, 3)]), [false, false, true]);
    }

    #[test]
    fn each_engine_is_counted_by_itself() {
        let mut breaks = Breaks::default();
        let now = Instant::now();
        assert_eq!(breaks.look(now, [("a", 1), ("b", 1)].into_iter()), None);
        assert_eq!(
            breaks.look(now, [("a", 1), ("b", 2)].into_iter()),
            Some("b")
        );
    }
}
