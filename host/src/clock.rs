//! The host's clock. Nothing that a relying party relies on depends on it: they have their own.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use chrysalis_attestation::Time;

/// Milliseconds since 1970; 0 where the clock is before that.
pub(crate) fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// The time by this machine's clock.
pub(crate) fn now() -> anyhow::Result<Time> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .context("the clock is set to a time before 1970\nhint: set it")?;
    Ok(Time(since.as_secs().try_into()?))
}
