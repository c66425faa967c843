//! What one job uses, counted where pieces are handed over, and what it may cost, asked where that is known.
//!
//! A request that wants a receipt is answered inside a [`Meter::scope`]. What counts takes the scope's meter when it begins, and keeps
//! it; everywhere else the meter is one that counts nothing. So no endpoint knows of receipts or tabs.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_settle::End;
use chrysalis_wire::content::of_whole;

use super::{
    ticket::{Entry, Wanted},
    used::Used,
};
use crate::{engine::Spell, serve::error::ApiError};

tokio::task_local! {
    static METER: Meter;
}

/// Counts one job; the default counts nothing, and lets everything in.
#[derive(Clone, Default)]
pub(in crate::serve) struct Meter {
    used: Option<Arc<Mutex<Used>>>,
    entry: Entry,
}

impl Meter {
    /// One that counts.
    pub(in crate::serve) fn new(entry: Entry) -> Self {
        Self {
            used: Some(Arc::default()),
            entry,
        }
    }

    /// The one of the request that is being answered.
    pub(in crate::serve) fn current() -> Self {
        METER.try_with(Self::clone).unwrap_or_default()
    }

    /// Answers a request that this counts for.
    pub(in crate::serve) fn scope<F: Future>(
        &self,
        answering: F,
    ) -> impl Future<Output = F::Output> {
        METER.scope(self.clone(), answering)
    }

    /// The whole body of the request.
    pub(in crate::serve) fn request(&self, body: &[u8]) {
        let content = of_whole(body);
        self.change(|used| {
            used.request = Some(sha256(&[content]));
            used.length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        });
    }

    /// Lets a request in that can cost so much. To be asked once, when all of it is known and before an engine is.
    pub(in crate::serve) fn admit(&self, wanted: &Wanted<'_>) -> Result<(), ApiError> {
        self.entry.admit(&self.used(), wanted)
    }

    /// What says how long one more call of the job takes.
    pub(in crate::serve) fn spell(&self) -> Spell {
        self.entry.spell()
    }

    /// Tokens of what was handed over so far, of the prompt with cached ones among them: in the end those that are reported.
    pub(in crate::serve) fn tokens(&self, prompt: u64, cached: u64, completion: u64) {
        self.change(|used| used.tokens(prompt, cached, completion));
    }

    /// Milliseconds of audio that were heard so far.
    pub(in crate::serve) fn audio(&self, milliseconds: u64) {
        self.change(|used| used.audio(milliseconds));
    }

    /// The answer has ended.
    pub(in crate::serve) fn ended(&self, end: End) {
        self.change(|used| used.end = Some(end));
    }

    /// The answer broke off. Who does not read an answer gives it up; and there are schemas that no answer follows.
    pub(in crate::serve) fn failed(&self, error: &ApiError) {
        self.change(|used| {
            used.provoked = error.code == "answer_not_valid";
            used.end = Some(match error.code {
                "answer_not_read" => End::Cancelled,
                _ => End::Failed,
            });
        });
    }

    /// What was used so far.
    pub(in crate::serve) fn used(&self) -> Used {
        let used = self.used.as_ref().map(|used| *lock(used));
        used.unwrap_or_default()
    }

    fn change(&self, change: impl FnOnce(&mut Used)) {
        if let Some(used) = &self.used {
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
        let [one, other] = [(); 2].map(|()| Meter::new(Entry::Open));
        tokio::join!(one.scope(count(1)), other.scope(count(2)), count(3));
        assert_eq!(one.used().units(), [1, 0, 1, 0]);
        assert_eq!(other.used().units(), [2, 0, 1, 0]);
        assert_eq!(Meter::default().used(), Used::default());
    }

    #[test]
    fn who_does_not_read_gives_up_and_all_else_fails() {
        for (error, end, provoked) in [
            (ApiError::engine_failed(), End::Failed, false),
            (ApiError::answer_not_valid("tools", "x"), End::Failed, true),
            (
                ApiError::fault(crate::engine::Fault::NotRead),
                End::Cancelled,
                false,
            ),
        ] {
            let meter = Meter::new(Entry::Open);
            meter.failed(&error);
            let used = meter.used();
            assert_eq!((used.end, used.provoked), (Some(end), provoked));
        }
    }
}
