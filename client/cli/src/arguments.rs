//! The command line, as clap reads it. Every verb's help ends in an example.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use chrysalis_attestation::Time;
use chrysalis_client::Target;
use chrysalis_measure::{CpuType, MAX_VCPUS};
use clap::{Args, Parser, Subcommand, ValueEnum};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::subject::Subject;

/// Know what answers before a byte of prompt leaves.
#[derive(Debug, Parser)]
#[command(name = "chrysalis", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Verify an enclave, or evidence in a file, against a policy
    Verify(VerifyArguments),
    /// Explain evidence field by field, without trusting it
    Show(ShowArguments),
    /// Verify an enclave, then ask it one question and stream the answer
    Chat(ChatArguments),
    /// Serve an OpenAI-compatible endpoint on this machine that forwards over verified connections only
    Proxy(ProxyArguments),
    /// Compute what the hardware will say about an image you built
    Measure(MeasureArguments),
    /// Make policies
    #[command(subcommand)]
    Policy(PolicyCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print a policy that trusts exactly one image and configuration
    Init(PolicyInitArguments),
}

/// What a relying party brings.
#[derive(Debug, Args)]
pub(crate) struct Judging {
    /// Folder of certificates and revocation lists (.pem, .der, .crt, .cer, .crl) for evidence that carries none
    #[arg(long, value_name = "DIR")]
    pub(crate) collateral: Option<PathBuf>,
    /// Judge as at this moment instead of now, such as 2026-12-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<Time>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: trusted. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis verify https://llm.example --policy policy.toml --save evidence.cbor\n  chrysalis verify evidence.cbor --policy policy.toml"
)]
pub(crate) struct VerifyArguments {
    /// An enclave (https://HOST:PORT), a saved session, a certificate, or `-` for stdin
    #[arg(value_name = "URL|FILE")]
    pub(crate) subject: Subject,
    /// What you want; without one, evidence is found genuine at best
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Keep the evidence, to verify it again offline
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// How to print the verdict
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Say nothing; the exit code is the verdict
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print every check
    #[arg(long, short, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis show https://llm.example\n  chrysalis show evidence.cbor"
)]
pub(crate) struct ShowArguments {
    /// An enclave (https://HOST:PORT), or a saved session, bundle, certificate or 1184-byte report, or `-` for stdin
    #[arg(value_name = "URL|FILE")]
    pub(crate) subject: Subject,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis chat https://llm.example \"What is a chrysalis?\" --policy policy.toml"
)]
pub(crate) struct ChatArguments {
    /// The enclave, as https://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// What to ask, or `-` for stdin
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: String,
    /// What you want of the enclave
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// The model; by default the one in the enclave's claims
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The most tokens of the answer
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    /// 0 answers with the likeliest token every time; at most 2
    #[arg(long, value_name = "NUMBER")]
    pub(crate) temperature: Option<f32>,
    /// The same seed and question give the same answer
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u32>,
    /// Instructions before the question
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis proxy https://llm.example --policy policy.toml\n  curl http://127.0.0.1:8080/v1/models"
)]
pub(crate) struct ProxyArguments {
    /// The enclave, as https://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// What you want of the enclave
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// How long to wait before verifying again, such as 30s, 5m or 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) reverify: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chrysalis measure build/cpu --platform snp --vcpus 2")]
pub(crate) struct MeasureArguments {
    /// An image folder, as `chrysalis-image build` makes it
    #[arg(value_name = "DIR")]
    pub(crate) image: PathBuf,
    /// The hardware that would measure it
    #[arg(long, value_enum)]
    pub(crate) platform: Platform,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Measure the command line of the simulated platform
    #[arg(long)]
    pub(crate) simulated: bool,
}

/// What of the machine is in the launch digest.
#[derive(Debug, Args)]
pub(crate) struct Machine {
    /// How many virtual CPUs the guest has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_VCPUS)))]
    pub(crate) vcpus: u32,
    /// Which CPU type the guest sees
    #[arg(long, value_name = "TYPE", default_value = "EPYC-v4")]
    pub(crate) cpu: CpuType,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis policy init --image build/cpu --vcpus 2 --configuration configuration.toml > policy.toml"
)]
pub(crate) struct PolicyInitArguments {
    /// The image folder to trust
    #[arg(long, value_name = "DIR")]
    pub(crate) image: PathBuf,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// The configuration to trust
    #[arg(long, value_name = "FILE")]
    pub(crate) configuration: PathBuf,
    /// Trust the simulated platform of this root certificate instead of hardware: for tests only
    #[arg(long, value_name = "FILE")]
    pub(crate) simulated_root: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// AMD SEV-SNP
    Snp,
}

fn moment(text: &str) -> Result<Time, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(|moment| Time(moment.unix_timestamp()))
        .map_err(|_| "write it as 2026-12-01T12:00:00Z".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
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
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example() {
        let mut open = vec![Arguments::command()];
        while let Some(command) = open.pop() {
            let verbs: Vec<_> = command.get_subcommands().cloned().collect();
            if verbs.is_empty() {
                let help = command
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    help.contains("Example:\n  chrysalis "),
                    "{}",
                    command.get_name()
                );
            }
            open.extend(verbs);
        }
    }

    #[test]
    fn reads_times_as_people_write_them() {
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        for wrong in ["", "5", "0s", "-1s", "5 m", "m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(moment("1970-01-01T00:01:00Z"), Ok(Time(60)));
        assert!(moment("tomorrow").is_err());
    }
}
