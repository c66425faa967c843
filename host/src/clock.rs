//! The host's clock. It decides nothing that a relying party relies on: those have their own.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use chrysalis_attestation::Time;

/// The time by this machine's clock.
pub(crate) fn now() -> anyhow::Result<Time> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock stands before 1970; set it")?;
    Ok(Time(since.as_secs().try_into()?))
}
