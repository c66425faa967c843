//! The end of service without the end of an answer: from the provider's wish on nothing new is begun, and what was begun is finished.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::sleep;

use super::{error::ApiError, places::Places};
use crate::host::Host;

/// How often is looked whether anything is still being answered.
const LOOK: Duration = Duration::from_millis(50);

/// Whether new work is taken.
#[derive(Debug, Default)]
pub(super) struct Drain(AtomicBool);

impl Drain {
    /// Refuses what is new once the provider wants that.
    pub(super) fn admits(&self) -> Result<(), ApiError> {
        if self.0.load(Ordering::Relaxed) {
            return Err(ApiError::draining());
        }
        Ok(())
    }

    /// Returns once the provider wanted it and nothing is being answered any more. What that takes is for the provider to bound.
    pub(super) async fn is_over(&self, host: &Host, places: &Places) {
        host.drain_wanted().await;
        tracing::info!(
            answers = places.answered(),
            "taking no new work, finishing what is under way"
        );
        self.0.store(true, Ordering::Relaxed);
        while places.answered() > 0 {
            sleep(LOOK).await;
        }
    }
}
