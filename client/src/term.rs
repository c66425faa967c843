//! The term of a verdict: until its `until` by the wall clock, or for the time that was left then by a stopwatch, whichever ends
//! first. Nothing prolongs it: to get more time, verify again.

use std::{fmt, time::Duration};

use chrysalis_attestation::Time;
use tokio::time::sleep;

use crate::{Clock, Error, Stopwatch, clock::Moment};

/// How often both clocks are read during a wait: a timer alone would not notice that the clock was set ahead, or that the machine
/// slept through the night.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a verdict holds.
#[derive(Clone)]
pub(crate) struct Term {
    clock: Clock,
    stopwatch: Stopwatch,
    until: Time,
    /// The same on the stopwatch.
    deadline: Duration,
}

impl Term {
    /// The term to `until`, as of the moment of verification.
    pub(crate) fn new(clock: Clock, stopwatch: Stopwatch, verified: Moment, until: Time) -> Self {
        let ahead = until.0.saturating_sub(verified.now.0);
        let ahead = Duration::from_secs(u64::try_from(ahead).unwrap_or(0));
        Self {
            clock,
            stopwatch,
            until,
            deadline: verified.elapsed.saturating_add(ahead),
        }
    }

    /// Whether it has ended, by either clock.
    pub(crate) fn is_over(&self) -> bool {
        (self.clock)() > self.until || (self.stopwatch)() > self.deadline
    }

    /// An error once it has ended.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_over() {
            Err(self.expired())
        } else {
            Ok(())
        }
    }

    /// What is left of it, by the clock that has less.
    pub(crate) fn left(&self) -> Duration {
        let by_clock = self.until.0.saturating_sub((self.clock)().0);
        let by_clock = Duration::from_secs(u64::try_from(by_clock).unwrap_or(0));
        by_clock.min(self.deadline.saturating_sub((self.stopwatch)()))
    }

    /// Waits for its end.
    pub(crate) fn ended(&self) -> impl Future<Output = Error> + Send + use<> {
        let term = self.clone();
        async move {
            while !term.is_over() {
                sleep(term.left().clamp(Duration::from_millis(1), LOOK_EVERY)).await;
            }
            term.expired()
        }
    }

    /// The error for users whose trust has ended.
    pub(crate) fn expired(&self) -> Error {
        Error::Expired {
            until: self.until.0,
        }
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Term")
            .field("until", &self.until)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    };

    use super::*;

    const NOW: i64 = 1_796_126_400;

    /// Both clocks, moved by hand; the term was taken ten seconds before its end.
    struct Scene {
        now: Arc<AtomicI64>,
        elapsed: Arc<AtomicU64>,
        term: Term,
    }

    fn scene() -> Scene {
        let (now, elapsed) = (Arc::new(AtomicI64::new(NOW)), Arc::new(AtomicU64::new(500)));
        let (wall, watch) = (Arc::clone(&now), Arc::clone(&elapsed));
        let verified = Moment {
            elapsed: Duration::from_secs(500),
            now: Time(NOW),
        };
        let term = Term::new(
            Arc::new(move || Time(wall.load(SeqCst))),
            Arc::new(move || Duration::from_secs(watch.load(SeqCst))),
            verified,
            Time(NOW + 10),
        );
        Scene { now, elapsed, term }
    }

    #[test]
    fn it_ends_by_the_wall_clock_though_the_stopwatch_slept() {
        let Scene { now, term, .. } = scene();
        now.store(NOW + 10, SeqCst);
        assert!(!term.is_over());
        assert!(term.check().is_ok());
        now.store(NOW + 11, SeqCst);
        assert!(term.is_over());
        assert_eq!(term.check().unwrap_err().code(), "evidence_expired");
        assert_eq!(term.left(), Duration::ZERO);
    }

    #[test]
    fn it_ends_by_the_stopwatch_though_the_wall_clock_was_set_back() {
        let Scene { now, elapsed, term } = scene();
        now.store(NOW - 86_400, SeqCst);
        elapsed.store(510, SeqCst);
        assert!(!term.is_over());
        elapsed.store(511, SeqCst);
        assert!(term.is_over());
        assert_eq!(term.left(), Duration::ZERO);
    }

    #[test]
    fn what_is_left_is_what_the_faster_clock_leaves() {
        let Scene { now, elapsed, term } = scene();
        assert_eq!(term.left(), Duration::from_secs(10));
        now.store(NOW + 3, SeqCst);
        assert_eq!(term.left(), Duration::from_secs(7));
        elapsed.store(508, SeqCst);
        assert_eq!(term.left(), Duration::from_secs(2));
    }

    #[test]
    fn a_verdict_that_never_ends_overflows_nothing() {
        let verified = Moment {
            elapsed: Duration::MAX,
            now: Time(i64::MIN),
        };
        let term = Term::new(
            Arc::new(|| Time(0)),
            Arc::new(|| Duration::ZERO),
            verified,
            Time(i64::MAX),
        );
        assert!(!term.is_over());
        assert!(term.left() > Duration::from_secs(3600));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_its_end() {
        let Scene { now, elapsed, term } = scene();
        let waiting = tokio::spawn(term.ended());
        // Ten seconds on the timer alone are not ten seconds on these clocks.
        sleep(Duration::from_secs(60)).await;
        assert!(!waiting.is_finished());
        now.store(NOW - 100, SeqCst);
        elapsed.store(600, SeqCst);
        assert_eq!(waiting.await.unwrap().code(), "evidence_expired");
    }
}
