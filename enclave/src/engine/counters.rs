//! What is counted of each model, for the provider: totals, never who or what.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds of the time until the first token, in milliseconds; one more bucket has what took longer.
pub(crate) const FIRST_TOKEN_MS: [u64; 12] = [
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000,
];

/// Totals since boot.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Calls that were queued.
    pub(crate) requests: AtomicU64,
    /// Calls that were turned away.
    pub(crate) refused: AtomicU64,
    /// Calls that the engine failed.
    pub(crate) failed: AtomicU64,
    /// Tokens that were read.
    pub(crate) prompt_tokens: AtomicU64,
    /// Tokens that were made.
    pub(crate) completion_tokens: AtomicU64,
    /// Times that the engine was replaced because it had failed.
    pub(crate) restarts: AtomicU64,
    /// Times until the first token, by [`FIRST_TOKEN_MS`].
    pub(crate) first_token: [AtomicU64; FIRST_TOKEN_MS.len() + 1],
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    /// Counts the tokens of an answer.
    pub(crate) fn tokens(&self, prompt: u64, completion: u64) {
        Self::add(&self.prompt_tokens, prompt);
        Self::add(&self.completion_tokens, completion);
    }

    /// Counts how long an answer's first token took.
    pub(super) fn first_token(&self, took: Duration) {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let bucket = FIRST_TOKEN_MS.partition_point(|bound| *bound < milliseconds);
        if let Some(bucket) = self.first_token.get(bucket) {
            Self::add(bucket, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_in_the_bucket_that_holds_it() {
        let counters = Counters::default();
        for milliseconds in [0, 5, 6, 30_000, 30_001] {
            counters.first_token(Duration::from_millis(milliseconds));
        }
        let found = counters
            .first_token
            .each_ref()
            .map(|bucket| bucket.load(Ordering::Relaxed));
        assert_eq!(found, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    }
}
