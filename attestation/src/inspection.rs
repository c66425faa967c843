//! Runs checks in order and writes each into the transcript, until the first failure or, to explain, through all of them.

use crate::{Rejection, verdict::Transcript};

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// To the first failure: for a verdict.
    First,
    /// Through every check that can still be made: to explain. The outcome is no less a refusal.
    All,
}

/// A transcript being written.
pub(crate) struct Inspection<'t> {
    transcript: &'t mut Transcript,
    failures: Vec<Rejection>,
    patience: Patience,
}

impl<'t> Inspection<'t> {
    pub(crate) fn new(transcript: &'t mut Transcript, patience: Patience) -> Self {
        Self {
            transcript,
            failures: Vec::new(),
            patience,
        }
    }

    /// Makes a check, unless an earlier failure was the end.
    pub(crate) fn check<T>(
        &mut self,
        (step, name): (&'static str, &'static str),
        run: impl FnOnce() -> Result<T, Rejection>,
        found: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        if self.is_over() {
            return None;
        }
        self.transcript
            .record(step, name, run(), found)
            .map_err(|rejection| self.failures.push(rejection))
            .ok()
    }

    /// Writes down that a check is not made.
    pub(crate) fn skip(&mut self, (step, name): (&'static str, &'static str), why: &str) {
        if !self.is_over() {
            self.transcript.not_checked(step, name, why);
        }
    }

    /// Says from here on that something is simulated.
    pub(crate) fn mark_simulated(&mut self) {
        self.transcript.mark_simulated();
    }

    /// Whether nothing failed so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }

    fn is_over(&self) -> bool {
        self.patience == Patience::First && !self.failures.is_empty()
    }

    /// All failures, in order: none means that every check passed or was skipped for a reason.
    pub(crate) fn failures(self) -> Vec<Rejection> {
        self.failures
    }
}

/// What has to hold, and what it means if it doesn't.
pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> Rejection) -> Result<(), Rejection> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
