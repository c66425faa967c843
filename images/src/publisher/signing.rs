//! Who signs, from when, and until when.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use chrysalis_attestation::{
    Time,
    release::{ANYONE_CAN_SIGN, Development},
};
use chrysalis_image::publish::{Passphrase, SigningKey, Span, development};
use clap::Args;

/// Who signs a statement, and how long it counts.
#[derive(Args)]
pub(super) struct Signing {
    /// The day on which what is signed ends, such as 2027-06-01
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(super) expires: Time,
    /// When it is issued; by default now
    #[arg(long, value_name = "DATE", value_parser = day)]
    issued: Option<Time>,
    /// A file whose first line is the key's passphrase; without it, the terminal is asked
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
}

/// Whether the development key may sign.
#[derive(Args)]
pub(super) struct Naming {
    /// Sign with the development key, whose private half is public: it vouches for nothing
    #[arg(long)]
    development_root: bool,
}

impl Naming {
    pub(super) fn development(&self) -> Development {
        development(self.development_root)
    }

    /// Reads a key to sign with.
    pub(super) fn key(&self, path: &Path, passphrase_file: Option<&Path>) -> Result<SigningKey> {
        let passphrase = Passphrase::from(passphrase_file);
        let key = SigningKey::read(path, &passphrase, self.development())?;
        if key.public().is_development() {
            println!("{ANYONE_CAN_SIGN}");
        }
        Ok(key)
    }
}

impl Signing {
    pub(super) fn span(&self) -> Result<Span> {
        let issued = match self.issued {
            Some(issued) => issued,
            None => now()?,
        };
        if self.expires <= issued {
            bail!("--expires is not after it is issued\nhint: give a later day");
        }
        Ok(Span {
            issued,
            expires: self.expires,
        })
    }
}

pub(super) fn now() -> Result<Time> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("this machine's clock is before 1970\nhint: set it")?;
    Ok(Time(i64::try_from(since.as_secs())?))
}

/// A day, from its first second in UTC, or a moment.
pub(super) fn day(text: &str) -> Result<Time, String> {
    let read = |text: &str| serde_json::from_value(text.into()).ok();
    read(text)
        .or_else(|| read(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "write it as 2027-06-01".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight() {
        assert_eq!(day("2026-12-01"), Ok(Time(1_796_083_200)));
        assert_eq!(day("2026-12-01T12:00:00Z"), Ok(Time(1_796_126_400)));
        assert!(day("soon").is_err());
    }
}
