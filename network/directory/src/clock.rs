//! What time it is: an argument, so that tests can say.

use std::{fmt, sync::Arc, time::SystemTime};

use chrysalis_attestation::Time;

/// The time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Time + Send + Sync>);

impl Clock {
    /// This machine's.
    pub fn system() -> Self {
        Self::of(|| Time::from(SystemTime::now()))
    }

    /// Another one.
    pub fn of(clock: impl Fn() -> Time + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    pub(crate) fn now(&self) -> Time {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Clock")
    }
}
