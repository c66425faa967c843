//! What several verbs take: how a relying party judges, how a verdict is printed, and values as people write them.

use std::{path::PathBuf, time::Duration};

use chrysalis_attestation::Time;
use chrysalis_collateral::{MirrorError, Mirrors};
use clap::{Args, ValueEnum};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What a relying party brings.
#[derive(Debug, Default, Args)]
pub(crate) struct Judging {
    /// A folder that `chrysalis fetch` filled, or one of certificates and revocation lists (.pem, .der, .crt, .cer, .crl), for
    /// evidence that carries none
    #[arg(long, value_name = "DIR")]
    pub(crate) collateral: Option<PathBuf>,
    /// What a rebuilder or the publisher signed about the image; the policy names whose statements count
    #[arg(long = "statement", value_name = "FILE")]
    pub(crate) statements: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Evaluate as of this time instead of now, such as 2026-12-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<Time>,
}

/// Whom to ask where a policy says `revocation = "asked"`.
#[derive(Debug, Default, Args)]
pub(crate) struct Asking {
    /// With revocation = "asked" in the policy: ask this responder instead of NVIDIA's whether GPU certificates are revoked
    #[arg(long, value_name = "nvidia-ocsp=URL", value_parser = responder)]
    pub(crate) mirror: Option<Mirrors>,
}

/// What all evidence in files is judged and told by.
#[derive(Debug, Args)]
pub(crate) struct FileOptions {
    /// What you require; without a policy the verdict is `genuine` at best
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Evaluate as of this time instead of now, such as 2026-12-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<Time>,
    /// Run every possible check and report all failures, not only the first
    #[arg(long)]
    pub(crate) explain_only: bool,
    #[command(flatten)]
    pub(crate) telling: Telling,
}

/// How a verdict is printed.
#[derive(Debug, Args)]
pub(crate) struct Telling<F = VerdictFormat>
where
    F: ValueEnum + Default + Clone + Send + Sync + 'static,
{
    /// How to print the verdict
    #[arg(long, value_enum, default_value_t = F::default())]
    pub(crate) format: F,
    /// Print nothing; the exit code is the verdict
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print every check
    #[arg(long, short, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerdictFormat {
    /// For people
    #[default]
    Text,
    /// For programs: one JSON object
    Json,
    /// For programs that read EAT attestation results: the claims set, not signed
    Ear,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: one JSON object
    Json,
}

pub(crate) fn moment(text: &str) -> Result<Time, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(|moment| Time(moment.unix_timestamp()))
        .map_err(|_| "write it as 2026-12-01T12:00:00Z".to_owned())
}

/// The one service that a verification asks.
fn responder(text: &str) -> Result<Mirrors, String> {
    if text.starts_with("nvidia-ocsp=") || !text.contains('=') {
        return text.parse().map_err(|error: MirrorError| error.to_string());
    }
    Err(
        "only nvidia-ocsp is asked here; `chrysalis fetch` asks the others ahead of time"
            .to_owned(),
    )
}

pub(crate) fn nonce(text: &str) -> Result<[u8; 32], String> {
    let mut nonce = [0; 32];
    hex::decode_to_slice(text, &mut nonce)
        .map(|()| nonce)
        .map_err(|_| "write it as 64 hex digits".to_owned())
}

pub(crate) fn report_data(text: &str) -> Result<[u8; 64], String> {
    let mut data = [0; 64];
    let given = hex::decode(text).map_err(|_| "write it as hex digits".to_owned())?;
    let place = data
        .get_mut(..given.len())
        .filter(|_| !given.is_empty())
        .ok_or("it has from 1 to 64 bytes")?;
    place.copy_from_slice(&given);
    Ok(data)
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write it as 30s, 5m or 1h".to_owned();
    let (number, seconds) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    match u64::from(number).checked_mul(seconds) {
        None | Some(0) => Err(wrong()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_as_people_write_them() {
        assert_eq!(moment("1970-01-01T00:01:00Z"), Ok(Time(60)));
        assert!(moment("tomorrow").is_err());
    }

    #[test]
    fn only_nvidias_responder_has_a_mirror_here() {
        assert!(responder("nvidia-ocsp=https://ocsp.example").is_ok());
        for wrong in ["amd=https://kds.example", "https://ocsp.example/?a=b"] {
            assert!(
                responder(wrong).unwrap_err().contains("only nvidia-ocsp"),
                "{wrong}"
            );
        }
        for wrong in ["nvidia-ocsp", "nvidia-ocsp=ocsp.example"] {
            assert!(responder(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_what_was_asked_for_as_hex() {
        assert_eq!(nonce(&"0a".repeat(32)), Ok([10; 32]));
        assert!(nonce("0a").is_err());
        let mut data = [0; 64];
        data[0] = 10;
        assert_eq!(report_data("0A"), Ok(data));
        for wrong in ["", "0", "xy", &"00".repeat(65)] {
            assert!(report_data(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_durations_as_people_write_them() {
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        for wrong in ["", "5", "0s", "-1s", "5 m", "m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
