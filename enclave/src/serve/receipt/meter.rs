//! What one job uses, counted where pieces are handed over.
//!
//! A request that wants a receipt is answered inside a [`Meter::scope`]. What counts takes the scope's meter when it begins, and keeps
//! it; everywhere else the meter is one that counts nothing. So no endpoint knows of receipts.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_settle::End;
use chrysalis_wire::content::of_whole;

tokio::task_local! {
    static METER: Meter;
}

/// Counts one job; the default counts nothing.
#[derive(Debug, Clone, Default)]
pub(in crate::serve) struct Meter(Option<Arc<Mutex<Used>>>);

/// What was used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// SHA-256 of the request's body, once it was read.
    pub(super) request: Option<[u8; 32]>,
    /// Prompt tokens, cached ones among them, completion tokens, milliseconds of audio.
    pub(super) units: [u64; 4],
    /// How the answer ended: nothing more is waited for.
    pub(super) end: Option<End>,
}

impl Meter {
    /// One that counts.
    pub(super) fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// The one of the request that is being answered.
    pub(in crate::serve) fn current() -> Self {
        METER.try_with(Self::clone).unwrap_or_default()
    }

    /// Answers a request that this counts for.
    pub(super) fn scope<F: Future>(&self, answering: F) -> impl Future<Output = F::Output> {
        METER.scope(self.clone(), answering)
    }

    /// The whole body of the request.
    pub(in crate::serve) fn request(&self, body: &[u8]) {
        self.change(|used| used.request = Some(sha256(&[of_whole(body)])));
    }

    /// Tokens of what was handed over so far: in the end those that are reported.
    pub(in crate::serve) fn tokens(&self, prompt: u64, cached: u64, completion: u64) {
        self.change(|used| {
            let [.., audio] = used.units;
            used.units = [prompt, cached, completion, audio];
        });
    }

    /// Milliseconds of audio that were heard so far.
    pub(in crate::serve) fn audio(&self, milliseconds: u64) {
        self.change(|used| {
            let [prompt, cached, completion, _] = used.units;
            used.units = [prompt, cached, completion, milliseconds];
        });
    }

    /// The answer has ended.
    pub(in crate::serve) fn ended(&self, end: End) {
        self.change(|used| used.end = Some(end));
    }

    /// What was used so far.
    pub(super) fn used(&self) -> Used {
        let used = self.0.as_ref().map(|used| *lock(used));
        used.unwrap_or_default()
    }

    fn change(&self, change: impl FnOnce(&mut Used)) {
        if let Some(used) = &self.0 {
            change(&mut lock(used));
        }
    }
}

/// A change is whole, whoever panics.
fn lock(used: &Mutex<Used>) -> std::sync::MutexGuard<'_, Used> {
    used.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_request_has_its_own_and_outside_there_is_none() {
        let count = |prompt| async move { Meter::current().tokens(prompt, 0, 1) };
        let (one, other) = (Meter::new(), Meter::new());
        tokio::join!(one.scope(count(1)), other.scope(count(2)), count(3));
        assert_eq!(one.used().units, [1, 0, 1, 0]);
        assert_eq!(other.used().units, [2, 0, 1, 0]);
        assert_eq!(Meter::default().used(), Used::default());
    }

    #[test]
    fn tokens_and_audio_are_counted_apart() {
        let meter = Meter::new();
        meter.audio(1500);
        meter.tokens(3, 2, 1);
        meter.audio(1600);
        assert_eq!(meter.used().units, [3, 2, 1, 1600]);
    }
}
