//! The guest's clock. The host sets it, so it is trusted as little as the host: it must not be before the day on which the
//! image was built, which is measured. Nothing more can be known about it here.
//!
//! What depends on it: whether the certificates, manifests, revocation lists and OCSP answers of GPUs count today, before the
//! enclave sets them ready; and the times that the claims and the answers name. A relying party judges all of it again by its
//! own clock.

use std::time::{SystemTime, UNIX_EPOCH};

use chrysalis_attestation::Time;
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::Error},
};

use crate::failure::Failure;

/// Characters in a day, such as `2026-11-29`.
const DAY: usize = 10;

/// By this machine's clock.
pub(crate) fn now() -> Time {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Refuses a clock whose `now` is before the measured day begins (UTC), and a machine without such a day.
pub(crate) fn require(not_before: Option<&str>, now: Time) -> Result<(), Failure> {
    let day = not_before.ok_or(Failure::NotBeforeMissing)?;
    let begins = beginning(day).ok_or_else(|| Failure::NotBeforeInvalid(day.to_owned()))?;
    if now < begins {
        return Err(Failure::ClockTooEarly {
            now,
            not_before: day.to_owned(),
        });
    }
    Ok(())
}

/// The first second of a day, UTC.
fn beginning(day: &str) -> Option<Time> {
    if day.len() != DAY {
        return None;
    }
    let midnight = format!("{day}T00:00:00Z");
    let midnight = IntoDeserializer::<Error>::into_deserializer(midnight);
    Time::deserialize(midnight).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-29, at midnight.
    const BUILT: Time = Time(1_795_910_400);

    fn refused(not_before: Option<&str>, now: Time) -> Failure {
        require(not_before, now).unwrap_err()
    }

    #[test]
    fn a_clock_before_the_image_was_built_is_refused() {
        let day = Some("2026-11-29");
        require(day, BUILT).unwrap();
        let failure = refused(day, Time(BUILT.0 - 1));
        assert_eq!(failure.code(), "clock_too_early");
        assert_eq!(
            failure.to_string(),
            "the clock says 2026-11-28 23:59 UTC, but this image was built on 2026-11-29"
        );
    }

    #[test]
    fn a_machine_that_is_told_no_day_or_no_real_one_is_refused() {
        assert_eq!(refused(None, BUILT).code(), "not_before_missing");
        for day in [
            "",
            "2026-11-31",
            "2026-13-01",
            "2026-11-9",
            "26-11-2026",
            "2026-11-29 ",
            "2026-11-29T00:00:00Z",
            "yesterday!",
        ] {
            let failure = refused(Some(day), BUILT);
            assert_eq!(failure.code(), "not_before_invalid", "{day}");
        }
    }
}
