//! The kinds of checks that a policy makes, each of which records its line in the transcript.

use std::fmt::Display;

use super::{
    expect::Expect,
    inspection::{Inspection, Step},
    record::{ALLOWED, LEFT_OPEN},
};
use crate::Rejection;

impl Inspection {
    /// Something that must hold.
    pub(crate) fn require(
        &mut self,
        step: Step,
        holds: bool,
        otherwise: Rejection,
        found: impl Display,
    ) {
        let result = if holds { Ok(()) } else { Err(otherwise) };
        self.note(step, || result, |()| found.to_string());
    }

    /// A set of bits, none of which may be wrong.
    pub(crate) fn no_wrong_bit<const N: usize>(
        &mut self,
        step: Step,
        bits: [(bool, Rejection); N],
        found: impl Display,
    ) {
        let mut wrong = bits
            .into_iter()
            .filter_map(|(wrong, rejection)| wrong.then_some(rejection))
            .peekable();
        if wrong.peek().is_none() {
            self.note(step, || Ok(()), |()| found.to_string());
        }
        for rejection in wrong {
            self.fail(step, rejection);
        }
    }

    /// One of the expected values, or unchecked: for the policy's reason, or because the policy leaves it open.
    pub(crate) fn expect<T: PartialEq>(
        &mut self,
        step: Step,
        expected: Option<&Expect<T>>,
        value: &T,
        otherwise: Rejection,
        found: impl Display,
    ) {
        match expected {
            None => self.skip(step, LEFT_OPEN),
            Some(Expect::Unchecked { why }) => self.skip(step, why),
            Some(Expect::AnyOf(expected)) => {
                self.require(step, expected.contains(value), otherwise, found);
            }
        }
    }

    /// Something that is present and that the policy allows although its default does not: a verdict reports it.
    pub(crate) fn allowed(&mut self, step: Step, is_there: bool) {
        if is_there {
            self.skip(step, ALLOWED);
        }
    }

    /// Something that must have been checked, unless the policy gives a reason why it need not.
    pub(crate) fn waivable(
        &mut self,
        step: Step,
        checked: bool,
        why: Option<&str>,
        otherwise: Rejection,
    ) {
        match (checked, why) {
            (true, _) => {}
            (false, Some(why)) => self.skip(step, why),
            (false, None) => {
                self.fail(step, otherwise);
            }
        }
    }
}
