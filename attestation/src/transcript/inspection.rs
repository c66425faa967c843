//! The one recorder. A walk makes its checks through it, in order; each records its line in the transcript.
//!
//! With [`Patience::First`] nothing is checked after the first failure. With [`Patience::All`] the same walk continues with whatever
//! can still be read, to explain what else is wrong. Either way only [`Inspection::finish`] returns what a walk found, and only
//! if no check failed.

use super::record::{Check, Outcome, Refusal, Transcript};
use crate::Rejection;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// To the first failure: for a verdict.
    First,
    /// Through every check that can still be made: to explain. A failure is still a refusal.
    All,
}

/// A check's step in docs/spec/verification.md, and its name.
pub(crate) type Step = (&'static str, &'static str);

/// Proof that a check failed: only the recorder makes one. A walk that ends without a result therefore always has a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed(Box<Rejection>);

/// A transcript being written.
#[derive(Debug)]
pub(crate) struct Inspection {
    transcript: Transcript,
    failures: Vec<Rejection>,
    patience: Patience,
}

impl Inspection {
    pub(crate) fn new(patience: Patience) -> Self {
        Self::resume(Transcript::default(), patience)
    }

    /// Continues where an earlier stage, in which nothing failed, ended.
    pub(crate) fn resume(transcript: Transcript, patience: Patience) -> Self {
        Self {
            transcript,
            failures: Vec::new(),
            patience,
        }
    }

    /// Makes a check whose result later checks need.
    pub(crate) fn check<T>(
        &mut self,
        step: Step,
        run: impl FnOnce() -> Result<T, Rejection>,
        found: impl FnOnce(&T) -> String,
    ) -> Result<T, Failed> {
        if let Some(failed) = self.over() {
            return Err(failed);
        }
        match run() {
            Ok(value) => {
                self.record(step, Outcome::Passed, found(&value));
                Ok(value)
            }
            Err(rejection) => Err(self.fail(step, rejection)),
        }
    }

    /// Makes a check that stands alone.
    pub(crate) fn note<T>(
        &mut self,
        step: Step,
        run: impl FnOnce() -> Result<T, Rejection>,
        found: impl FnOnce(&T) -> String,
    ) {
        drop(self.check(step, run, found));
    }

    /// Records that a check is not made, and why.
    pub(crate) fn skip(&mut self, step: Step, why: &str) {
        if self.over().is_none() {
            self.record(step, Outcome::NotChecked, why.to_owned());
        }
    }

    /// Records a failure. A rejection has its own step: the same one may occur in two checks.
    pub(crate) fn fail(&mut self, (_, name): Step, rejection: Rejection) -> Failed {
        if let Some(failed) = self.over() {
            return failed;
        }
        let step = (rejection.step(), name);
        self.record(step, Outcome::Failed, rejection.to_string());
        if !self.failures.contains(&rejection) {
            self.failures.push(rejection.clone());
        }
        Failed(Box::new(rejection))
    }

    /// Whether nothing failed so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }

    /// Records that something is simulated.
    pub(crate) fn mark_simulated(&mut self) {
        self.transcript.simulated = true;
    }

    /// Returns what the walk found, if no check failed.
    pub(crate) fn finish<T>(self, found: Result<T, Failed>) -> Result<(T, Transcript), Refusal> {
        let Self {
            transcript,
            failures,
            ..
        } = self;
        let mut failures = failures.into_iter();
        let rejection = match (failures.next(), found) {
            (None, Ok(found)) => return Ok((found, transcript)),
            (Some(first), _) => first,
            (None, Err(Failed(rejection))) => *rejection,
        };
        Err(Refusal {
            rejection,
            further: failures.collect(),
            transcript: Box::new(transcript),
            known: None,
        })
    }

    /// The failure after which nothing more is checked.
    fn over(&self) -> Option<Failed> {
        let first = self.failures.first()?;
        (self.patience == Patience::First).then(|| Failed(Box::new(first.clone())))
    }

    fn record(&mut self, (step, name): Step, outcome: Outcome, detail: String) {
        self.transcript.checks.push(Check {
            step,
            name,
            outcome,
            detail,
        });
    }
}

/// A condition that must hold, and the rejection if it does not.
pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> Rejection) -> Result<(), Rejection> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = ("snp-1", "a check");

    fn walk(patience: Patience) -> Result<((), Transcript), Refusal> {
        let mut inspection = Inspection::new(patience);
        inspection.note(STEP, || Ok(()), |()| "fine".to_owned());
        inspection.note(
            STEP,
            || Err::<(), _>(Rejection::NotFresh),
            |()| String::new(),
        );
        inspection.note(
            STEP,
            || Err::<(), _>(Rejection::NotFresh),
            |()| String::new(),
        );
        inspection.skip(STEP, "a reason");
        let failed = inspection.check(
            STEP,
            || Err::<(), _>(Rejection::GpuFwidMissing),
            |()| String::new(),
        );
        assert!(failed.is_err());
        // A walk may ignore a failure. What it found is still not returned.
        inspection.finish(Ok(()))
    }

    #[test]
    fn the_first_failure_is_the_end_of_a_verdict() {
        let refusal = walk(Patience::First).expect_err("a refusal");
        assert_eq!(refusal.rejection, Rejection::NotFresh);
        assert_eq!(refusal.further, []);
        let outcomes: Vec<_> = refusal
            .transcript
            .checks()
            .iter()
            .map(|it| it.outcome)
            .collect();
        assert_eq!(outcomes, [Outcome::Passed, Outcome::Failed]);
    }

    #[test]
    fn patience_finds_each_failure_once_and_refuses_no_less() {
        let refusal = walk(Patience::All).expect_err("a refusal");
        let found: Vec<_> = refusal.rejections().collect();
        assert_eq!(found, [&Rejection::NotFresh, &Rejection::GpuFwidMissing]);
        assert_eq!(refusal.transcript.checks().len(), 5);
    }

    #[test]
    fn what_a_walk_found_comes_out_if_nothing_failed() {
        let mut inspection = Inspection::new(Patience::First);
        let found = inspection.check(STEP, || Ok(7), ToString::to_string);
        let (found, transcript) = inspection.finish(found).expect("no failure");
        assert_eq!((found, transcript.checks().len()), (7, 1));
    }
}
