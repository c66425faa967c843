//! How long to wait: deadlines, exponential back-off with jitter, and courtesy towards hosts.

use std::time::{Duration, SystemTime};

use chrysalis_attestation::Time;

/// How much patience a fetch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one answer, from name resolution to the last byte.
    pub request: Duration,
    /// For everything that one piece of evidence needs, pauses included.
    pub total: Duration,
    /// How often to ask for one object.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles from there.
    pub first_pause: Duration,
    /// The longest pause that the host did not ask for.
    pub longest_pause: Duration,
    /// The pause between two requests to one host: AMD's service limits their rate.
    pub spacing: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(20),
            total: Duration::from_secs(3 * 60),
            attempts: 5,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            spacing: Duration::from_millis(500),
        }
    }
}

impl Limits {
    /// The pause after this many attempts: doubling, bounded, and then varied from half to one and a half times that, so that many
    /// clients that failed together do not come back together.
    pub(crate) fn pause(&self, attempts: u32, jitter: u8) -> Duration {
        let doublings = attempts.saturating_sub(1).min(16);
        let whole = self
            .first_pause
            .saturating_mul(1 << doublings)
            .min(self.longest_pause);
        (whole / 2).saturating_add(whole.saturating_mul(u32::from(jitter)) / u32::from(u8::MAX))
    }
}

/// What `Retry-After` says: seconds or a date. `None` if it is neither.
pub(crate) fn retry_after(text: &str, now: Time) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    let then = then.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let now = Duration::from_secs(u64::try_from(now.0).ok()?);
    Some(then.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_with_jitter_around_them() {
        let limits = Limits::default();
        let middle = |attempts| limits.pause(attempts, 127).as_secs_f64();
        for (attempts, seconds) in [(1, 1.0), (2, 2.0), (3, 4.0), (6, 30.0), (60, 30.0)] {
            assert!(
                (middle(attempts) - seconds).abs() < 0.1,
                "{attempts}: {}",
                middle(attempts)
            );
        }
        assert_eq!(limits.pause(1, 0), Duration::from_millis(500));
        assert_eq!(limits.pause(1, 255), Duration::from_millis(1500));
    }

    #[test]
    fn reads_seconds_and_dates_of_retry_after() {
        let now = Time(784_111_777);
        assert_eq!(retry_after(" 7", now), Some(Duration::from_secs(7)));
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        for neither in ["", "-1", "soon", "99999999999"] {
            assert_eq!(retry_after(neither, now), None, "{neither}");
        }
    }
}
