//! Step policy-16: the enclave still renews its evidence. The claims are bound by then.
//!
//! The age is what the enclave's clock and the verifier's say together, and the host sets the former: it can hide an age, and make
//! one up, but not lengthen the enclave's own epoch, which a clock that the host does not set ends. docs/spec/epoch.md.

use crate::{
    Rejection, Time,
    evidence::claims::Claims,
    policy::EpochAge,
    transcript::{Inspection, Step},
};

const CHECK: Step = ("policy-16", "epoch");

/// The epoch began no longer ago than is accepted, and no longer after `now`: either way nobody could say how old it is.
pub(super) fn young(wanted: &EpochAge, claims: &Claims, now: Time, inspection: &mut Inspection) {
    let most = match wanted {
        EpochAge::Epochs => claims.epoch_seconds.saturating_mul(EpochAge::EPOCHS),
        EpochAge::Seconds(most) => *most,
        EpochAge::Unchecked { why } => return inspection.skip(CHECK, why),
    };
    let found = format!("{} {}", claims.epoch, age(claims, now));
    let old = Rejection::EpochOld {
        found: found.clone(),
        most,
    };
    let young = now.0.abs_diff(claims.epoch_began) <= most;
    inspection.require(CHECK, young, old, found);
}

/// Such as `began 40 s ago`.
pub(crate) fn age(claims: &Claims, now: Time) -> String {
    let seconds = now.0.abs_diff(claims.epoch_began);
    if claims.epoch_began > now.0 {
        format!("begins in {seconds} s, by the enclave's clock")
    } else {
        format!("began {seconds} s ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evidence::claims::tests::{BEGAN, claims},
        transcript::{Outcome, Patience},
    };

    fn judged(wanted: &EpochAge, after: i64) -> Result<(Outcome, String), Rejection> {
        let claims = Claims {
            epoch: 3,
            epoch_began: BEGAN,
            epoch_seconds: 600,
            ..claims()
        };
        let mut inspection = Inspection::new(Patience::First);
        young(wanted, &claims, Time(BEGAN + after), &mut inspection);
        match inspection.finish(Ok(())) {
            Ok(((), transcript)) => {
                let check = &transcript.checks()[0];
                Ok((check.outcome, check.detail.clone()))
            }
            Err(refusal) => Err(refusal.rejection),
        }
    }

    fn old(found: &str, most: u64) -> Result<(Outcome, String), Rejection> {
        let found = found.to_owned();
        Err(Rejection::EpochOld { found, most })
    }

    #[test]
    fn an_epoch_may_last_for_two_of_the_enclaves_unless_the_policy_says_otherwise() {
        let passed = |detail: &str| Ok((Outcome::Passed, detail.to_owned()));
        let two = EpochAge::default();
        assert_eq!(judged(&two, 0), passed("3 began 0 s ago"));
        assert_eq!(judged(&two, 1200), passed("3 began 1200 s ago"));
        assert_eq!(judged(&two, 1201), old("3 began 1201 s ago", 1200));
        let short = EpochAge::Seconds(60);
        assert_eq!(judged(&short, 60), passed("3 began 60 s ago"));
        assert_eq!(judged(&short, 61), old("3 began 61 s ago", 60));
        let why = "a saved session".to_owned();
        let any = EpochAge::Unchecked { why: why.clone() };
        assert_eq!(judged(&any, 1 << 40), Ok((Outcome::NotChecked, why)));
    }

    #[test]
    fn clocks_that_are_far_apart_tell_no_age() {
        let ahead = |seconds| format!("3 begins in {seconds} s, by the enclave's clock");
        let two = EpochAge::default();
        assert_eq!(judged(&two, -1200), Ok((Outcome::Passed, ahead(1200))));
        assert_eq!(judged(&two, -1201), old(&ahead(1201), 1200));
    }
}
