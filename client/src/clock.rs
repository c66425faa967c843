//! The two clocks of a relying party. Neither is trusted alone: a wall clock can be set back, and a stopwatch may stop while the
//! machine sleeps.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrysalis_attestation::Time;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Tells how much time has passed since some fixed moment. It never runs backwards, whatever the time is set to.
pub type Stopwatch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) elapsed: Duration,
    pub(crate) now: Time,
}

/// This machine's clock.
pub fn system_time() -> Time {
    SystemTime::now().into()
}

/// This machine's stopwatch; on Linux it also runs while the machine sleeps.
#[cfg(target_os = "linux")]
pub fn system_stopwatch() -> Duration {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // Seconds and nanoseconds since the machine was started: never negative.
    Duration::try_from(since).unwrap_or(Duration::MAX)
}

/// This machine's stopwatch.
#[cfg(not(target_os = "linux"))]
pub fn system_stopwatch() -> Duration {
    use std::{sync::OnceLock, time::Instant};
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stopwatch_runs_forward() {
        let (first, second) = (system_stopwatch(), system_stopwatch());
        assert!(first <= second && second < Duration::MAX);
    }
}
