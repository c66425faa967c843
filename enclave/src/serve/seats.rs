//! Room for recordings: those that are held at once.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{engine::Turned, serve::error::ApiError};

/// How many recordings are held at once: each takes up to 25 MiB as it comes and 55 MiB as samples.
const MAX_HELD: usize = 4;
/// When one that found no room may come again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Room for recordings.
pub(super) struct Seats(Arc<Semaphore>);

impl Default for Seats {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_HELD)))
    }
}

impl Seats {
    /// A seat, if there is one.
    pub(super) fn take(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.0.clone().try_acquire_owned().map_err(|_| {
            ApiError::turned(Turned::Busy {
                retry_after: RETRY_AFTER,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_recording_too_many_is_turned_away_and_told_when_to_come_back() {
        let seats = Seats::default();
        let mut taken: Vec<_> = (0..MAX_HELD).map(|_| seats.take().unwrap()).collect();
        let error = seats.take().unwrap_err();
        let found = (error.status.as_u16(), error.code, error.retry_after());
        assert_eq!(found, (429, "rate_limit_exceeded", Some(10)));
        taken.pop();
        assert!(seats.take().is_ok());
    }
}
