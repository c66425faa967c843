//! Where requests for evidence wait, and how many may.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::failure::Failure;

/// How many requests for evidence there may be at once. Each costs the processor's time, and that of the GPUs, which answer one at
/// a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Requests that are being answered.
    pub(crate) at_once: usize,
    /// Requests that wait; one more is refused.
    pub(crate) waiting: usize,
    /// How long one waits before it is refused.
    pub(crate) patience: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            at_once: 4,
            waiting: 64,
            patience: Duration::from_secs(20),
        }
    }
}

/// No bundle.
#[derive(Debug)]
pub(crate) enum NoBundle {
    /// There are too many requests.
    Busy,
    /// The processor or the GPUs gave no evidence.
    Failed(Failure),
}

impl From<Failure> for NoBundle {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Where requests wait, in the order in which they came.
pub(super) struct Desk {
    places: Semaphore,
    turns: Semaphore,
    patience: Duration,
}

impl Desk {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            places: Semaphore::new(bounds.waiting.saturating_add(bounds.at_once)),
            turns: Semaphore::new(bounds.at_once),
            patience: bounds.patience,
        }
    }

    /// Held while a request is answered.
    pub(super) async fn turn(&self) -> Result<[SemaphorePermit<'_>; 2], NoBundle> {
        let place = self.places.try_acquire().map_err(|_| NoBundle::Busy)?;
        match timeout(self.patience, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok([place, turn]),
            _ => Err(NoBundle::Busy),
        }
    }
}
