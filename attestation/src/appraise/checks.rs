//! The five kinds of checks that a policy makes, each of which leaves its line in the transcript.

use std::fmt::Display;

use crate::{
    Rejection,
    policy::{Expect, Floor},
    snp::{product::Product, tcb::Tcb},
    verdict::{ALLOWED, LEFT_OPEN, Transcript},
};

/// The step and the name of a check.
pub(super) type Check = (&'static str, &'static str);

impl Transcript {
    /// Something that must hold.
    pub(super) fn require(
        &mut self,
        (step, name): Check,
        holds: bool,
        otherwise: Rejection,
        found: impl Display,
    ) -> Result<(), Rejection> {
        let result = if holds { Ok(()) } else { Err(otherwise) };
        let result = self.record(step, name, result, |()| found.to_string());
        self.settle(result)
    }

    /// Bits, none of which may be wrong.
    pub(super) fn no_wrong_bit<const N: usize>(
        &mut self,
        (step, name): Check,
        bits: [(bool, Rejection); N],
        found: impl Display,
    ) -> Result<(), Rejection> {
        let mut wrong = bits
            .into_iter()
            .filter_map(|(wrong, rejection)| wrong.then_some(rejection))
            .peekable();
        if wrong.peek().is_none() {
            return self.record(step, name, Ok(()), |()| found.to_string());
        }
        for rejection in wrong {
            let result = self.record(step, name, Err(rejection), |()| String::new());
            self.settle(result)?;
        }
        Ok(())
    }

    /// One of the expected values; or unchecked, for the policy's reason or because the policy leaves it open.
    pub(super) fn expect<T: PartialEq>(
        &mut self,
        check: Check,
        expected: Option<&Expect<T>>,
        value: &T,
        otherwise: Rejection,
        found: impl Display,
    ) -> Result<(), Rejection> {
        let (step, name) = check;
        match expected {
            None => self.not_checked(step, name, LEFT_OPEN),
            Some(Expect::Unchecked { why }) => self.not_checked(step, name, why),
            Some(Expect::AnyOf(expected)) => {
                return self.require(check, expected.contains(value), otherwise, found);
            }
        }
        Ok(())
    }

    /// Something that is there, and that the policy allows though its default does not: a verdict tells it.
    pub(super) fn allowed(&mut self, (step, name): Check, is_there: bool) {
        if is_there {
            self.not_checked(step, name, ALLOWED);
        }
    }

    /// Something that must have been checked, unless the policy gives a reason why it need not.
    pub(super) fn waivable(
        &mut self,
        (step, name): Check,
        checked: bool,
        why: Option<&str>,
        otherwise: Rejection,
    ) -> Result<(), Rejection> {
        match (checked, why) {
            (true, _) => Ok(()),
            (false, Some(why)) => {
                self.not_checked(step, name, why);
                Ok(())
            }
            (false, None) => {
                let result = self.record(step, name, Err(otherwise), |()| String::new());
                self.settle(result)
            }
        }
    }

    /// Firmware levels, none of which may be below the floor. `which` level they are is told in the rejection.
    pub(super) fn at_floor(
        &mut self,
        (step, name): Check,
        which: &'static str,
        floor: Option<&Floor>,
        (product, level): (Product, Tcb),
    ) -> Result<(), Rejection> {
        let floor = match floor {
            None => {
                self.not_checked(step, name, LEFT_OPEN);
                return Ok(());
            }
            Some(Floor::Unchecked { why }) => {
                self.not_checked(step, name, why);
                return Ok(());
            }
            Some(Floor::Each(floors)) => floors
                .of(product)
                .ok_or(Rejection::ProductRefused { found: product }),
        };
        let at_floor = floor.and_then(|floor| match level.below(floor) {
            None => Ok(()),
            Some((component, found, floor)) => Err(Rejection::TcbBelowFloor {
                which,
                component,
                found,
                floor,
            }),
        });
        let at_floor = self.record(step, name, at_floor, |()| level.to_string());
        self.settle(at_floor)
    }
}
