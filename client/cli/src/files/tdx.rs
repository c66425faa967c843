//! `verify tdx`: a TD's quote, and what Intel says about its platform.

use std::path::PathBuf;

use anyhow::bail;
use chrysalis_attestation::{Rejection, tdx::IntelCollateral};
use chrysalis_client::system_time;
use chrysalis_verifier::{MAX_EVIDENCE, Place, TdxRequest, TdxWanted, Without, waivers};
use clap::{Args, ValueEnum};

use super::{
    input::{read_for, read_if, read_policy, read_statements, usable},
    tell::tell,
    vtpm::{TpmArguments, read_quote},
};
use crate::{
    collateral::for_quote,
    options::{FileOptions, report_data},
    outcome::Outcome,
    spelling,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: genuine or, with a policy, trusted. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis verify tdx --quote quote.bin --quote-collateral collateral.json"
)]
pub(crate) struct TdxArguments {
    /// The quote: bytes, hex or base64; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) quote: PathBuf,
    /// What Intel says about the platform: TCB info, QE identity and revocation lists with their chains, in one JSON object
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "collateral",
        conflicts_with = "collateral"
    )]
    pub(crate) quote_collateral: Option<PathBuf>,
    /// A folder that `chrysalis fetch` filled with the same
    #[arg(long, value_name = "DIR", value_parser = folder)]
    pub(crate) collateral: Option<PathBuf>,
    /// Azure's HCL report, around the TDREPORT that the quote was made of
    #[arg(long, value_name = "FILE")]
    pub(crate) hcl_report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tpm: TpmArguments,
    /// What was measured into the run-time registers: the CCEL table's data
    #[arg(long, value_name = "FILE")]
    pub(crate) event_log: Option<PathBuf>,
    /// What the TD was asked to put into `REPORTDATA`: up to 64 bytes in hex, padded with zeros
    #[arg(long, value_name = "HEX", value_parser = report_data)]
    pub(crate) report_data: Option<[u8; 64]>,
    /// What a rebuilder or the publisher signed about the image; the policy names whose statements count
    #[arg(long = "statement", value_name = "FILE")]
    pub(crate) statements: Vec<PathBuf>,
    /// Accept without this input; the verdict lists it as not checked
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) without: Vec<TdxInput>,
    #[command(flatten)]
    pub(crate) options: FileOptions,
}

/// What a verification of a quote may go without, though a policy asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TdxInput {
    /// Event log: what made the run-time registers
    EventLog,
    /// Proof by --report-data or --tpm-nonce that the evidence is recent
    Freshness,
    /// Values of the PCRs that a virtual TPM quoted
    Pcrs,
}

impl From<TdxInput> for Without {
    fn from(input: TdxInput) -> Self {
        match input {
            TdxInput::EventLog => Self::EventLog,
            TdxInput::Freshness => Self::Freshness,
            TdxInput::Pcrs => Self::Pcrs,
        }
    }
}

pub(crate) fn run(arguments: &TdxArguments) -> anyhow::Result<Outcome> {
    let options = &arguments.options;
    let without: Vec<Without> = arguments.without.iter().map(|it| (*it).into()).collect();
    let now = options.at.unwrap_or_else(system_time);
    let wanted = wanted(arguments)?;
    let statements = read_statements(&arguments.statements)?;
    let quote = read_for(Place::QUOTE, &arguments.quote, MAX_EVIDENCE)?;
    let request = TdxRequest {
        collateral: collateral(arguments, &quote)?,
        quote,
        event_log: read_if(Place::EVENT_LOG, arguments.event_log.as_ref())?,
        hcl_report: read_if(Place::HCL_REPORT, arguments.hcl_report.as_ref())?,
        tpm: read_quote(&arguments.tpm, &without)?,
        statements,
        report_data: arguments.report_data,
        wanted,
        waivers: waivers(&without, &[]),
        explain: options.explain_only,
        now,
    };
    tell(request.verify()?, options, now)
}

/// What Intel says: one JSON object, or what a store of `chrysalis fetch` has for this quote.
fn collateral(
    arguments: &TdxArguments,
    quote: &[u8],
) -> anyhow::Result<Result<IntelCollateral, Rejection>> {
    match (&arguments.collateral, &arguments.quote_collateral) {
        (Some(store), _) => for_quote(store, quote),
        (None, Some(path)) => {
            let json = read_for(Place::TDX_COLLATERAL, path, MAX_EVIDENCE)?;
            Ok(IntelCollateral::parse(&json))
        }
        (None, None) => bail!("give --quote-collateral FILE or --collateral DIR"),
    }
}

/// A folder: what v0.1.4 took as a file here has an option of its own.
fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_file() {
        return Err(format!("it is a file; {}", spelling::COLLATERAL));
    }
    Ok(path)
}

/// What the file wants, if there is one.
fn wanted(arguments: &TdxArguments) -> anyhow::Result<TdxWanted> {
    match &arguments.options.policy {
        Some(path) => usable(path, TdxWanted::read(&read_policy(path)?)),
        None => Ok(TdxWanted::nothing()),
    }
}
