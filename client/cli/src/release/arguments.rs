//! The command lines of `release` and `audit`.

use std::path::PathBuf;

use chrysalis_attestation::Time;
use chrysalis_measure::{CpuType, MAX_VCPUS};
use clap::{Args, Subcommand};
use time::{Date, format_description::well_known::Iso8601};

use super::publisher::{PROJECT, Publisher};
use crate::arguments::{Telling, moment};

#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// Sign the manifest of an image: its files, and what hardware says about it
    Make(MakeArguments),
    /// Check a release's manifest, and remember it as the newest one seen
    Verify(VerifyReleaseArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis release make build/cpu --project releases.example --epoch 1 --expires 2027-06-01 --key release.pem --out publication/v1"
)]
pub(crate) struct MakeArguments {
    /// An image folder, as `chrysalis-image build` makes it
    #[arg(value_name = "DIR")]
    pub(crate) image: PathBuf,
    /// Counts up from release to release: clients refuse to go back
    #[arg(long, value_name = "N")]
    pub(crate) epoch: u64,
    /// From when on nobody is to trust this release, such as 2027-06-01
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(crate) expires: Time,
    /// The release key, as `chrysalis-image key release` makes it: PKCS #8 PEM, Ed25519 or P-256
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// A file whose first line is the key's passphrase; without it, the terminal is asked
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// The project that it is a release of, as in your root statement
    #[arg(long, value_name = "NAME", default_value = PROJECT)]
    pub(crate) project: String,
    /// The folder that manifest.json goes to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The release's name; by default the image's version
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// When it is issued; by default now
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) issued: Option<Time>,
    /// Firmware levels below which nobody is to trust it: TOML with a table for each product line
    #[arg(long, value_name = "FILE")]
    pub(crate) minimum_tcb: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shapes: Shapes,
}

/// The SNP machines that an image is measured for.
#[derive(Debug, Args)]
pub(crate) struct Shapes {
    /// How many virtual CPUs, by commas
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2,4,8,16,32,64", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_VCPUS)))]
    pub(crate) vcpus: Vec<u32>,
    /// Which CPU types, by commas
    #[arg(
        long,
        value_name = "TYPE",
        value_delimiter = ',',
        default_value = "EPYC-v4,EPYC-Milan,EPYC-Genoa,EPYC-Turin"
    )]
    pub(crate) cpu: Vec<CpuType>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: current. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis release verify publication/v1/manifest.json --root 1.root.json --keys publication"
)]
pub(crate) struct VerifyReleaseArguments {
    /// The manifest
    #[arg(value_name = "FILE")]
    pub(crate) manifest: PathBuf,
    #[command(flatten)]
    pub(crate) publisher: Publisher,
    /// Judge as at this moment instead of now, such as 2026-12-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<Time>,
    #[command(flatten)]
    pub(crate) telling: Telling,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: the same. 1: something differs, or the manifest is refused. 2: could not check.\n\nExample:\n  chrysalis audit images/cpu.toml --against v1/manifest.json --root 1.root.json --keys publication\n  chrysalis audit --image build/cpu --against v1/manifest.json --root 1.root.json --keys publication --sign mine.pem --out statement.json"
)]
pub(crate) struct AuditArguments {
    /// The recipe to rebuild from; its lock.toml lies beside it
    #[arg(value_name = "RECIPE", default_value = "images/cpu.toml")]
    pub(crate) recipe: PathBuf,
    /// Audit this image folder instead of rebuilding
    #[arg(long, value_name = "DIR")]
    pub(crate) image: Option<PathBuf>,
    /// Where the rebuilt image goes
    #[arg(
        long,
        value_name = "DIR",
        default_value = "build/audit",
        conflicts_with = "image"
    )]
    pub(crate) build: PathBuf,
    /// Take the programs from this folder instead of compiling them
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    pub(crate) binaries: Option<PathBuf>,
    /// The manifest to hold the image against
    #[arg(long, value_name = "FILE")]
    pub(crate) against: PathBuf,
    #[command(flatten)]
    pub(crate) publisher: Publisher,
    /// The released image folder, to name the first entry, word or page that differs
    #[arg(long, value_name = "DIR")]
    pub(crate) released: Option<PathBuf>,
    /// Your own key, to say under it that the image is the same
    #[arg(long, value_name = "FILE", requires = "out")]
    pub(crate) sign: Option<PathBuf>,
    /// A file whose first line is the passphrase of your own key; without it, the terminal is asked
    #[arg(long, value_name = "FILE", requires = "sign")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Where the signed statement goes
    #[arg(long, value_name = "FILE", requires = "sign")]
    pub(crate) out: Option<PathBuf>,
}

/// A day, from its first second in UTC, or a moment.
fn day(text: &str) -> Result<Time, String> {
    moment(text).or_else(|_| {
        Date::parse(text, &Iso8601::DATE)
            .map(|date| Time(date.midnight().assume_utc().unix_timestamp()))
            .map_err(|_| "write it as 2027-06-01".to_owned())
    })
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
