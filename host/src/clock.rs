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

/// The time as a log has it: RFC 3339 in UTC, with milliseconds.
pub(crate) fn stamp() -> String {
    let now = milliseconds();
    let seconds = Time(i64::try_from(now / 1000).unwrap_or_default());
    let text = serde_json::to_value(seconds).unwrap_or_default();
    let text = text.as_str().unwrap_or_default().trim_end_matches('Z');
    format!("{text}.{:03}Z", now % 1000)
}

/// The time by this machine's clock.
pub(crate) fn now() -> anyhow::Result<Time> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .context("the clock is set to a time before 1970\nhint: set it")?;
    Ok(Time(since.as_secs().try_into()?))
}
