//! What is counted of each model, for the provider: totals, never who or what.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use chrysalis_wire::host::{FIRST_TOKEN_BOUNDS_MS, ModelLoad};

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
    /// Times until the first token, as [`ModelLoad::first_token_ms`] has them.
    pub(crate) first_token: [AtomicU64; FIRST_TOKEN_BOUNDS_MS.len() + 1],
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
        let count = ModelLoad::first_token_count(milliseconds);
        if let Some(bucket) = self.first_token.get(count) {
            Self::add(bucket, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_once() {
        let counters = Counters::default();
        for milliseconds in [0, 11, 60_001] {
            counters.first_token(Duration::from_millis(milliseconds));
        }
        let found = counters
            .first_token
            .each_ref()
            .map(|bucket| bucket.load(Ordering::Relaxed));
        assert_eq!((found[0], found[1], found[18]), (1, 1, 1));
        assert_eq!(found.iter().sum::<u64>(), 3);
    }
}
