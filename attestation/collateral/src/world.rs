//! Time and randomness as arguments, so that a test can decide how long everything takes.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrysalis_attestation::Time;
use ring::rand::{SecureRandom, SystemRandom};

/// What a fetch needs from its surroundings, besides the network.
pub trait World {
    /// The time, which decides whether objects are fresh or stale.
    fn now(&self) -> Time;
    /// The time since some fixed moment, never going backwards: for deadlines.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, duration: Duration);
    /// Unpredictable bytes, for the nonce of a request and the jitter of a pause. `None` if there are none to be had.
    fn random(&self) -> Option<[u8; 32]>;
}

/// This machine.
#[derive(Debug)]
pub struct System {
    began: Instant,
    random: SystemRandom,
}

impl System {
    /// Starts counting now.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            random: SystemRandom::new(),
        }
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl World for System {
    /// A clock before 1970 counts as 1970: nothing is fresh then.
    fn now(&self) -> Time {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Time(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn random(&self) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes).ok().map(|()| bytes)
    }
}
