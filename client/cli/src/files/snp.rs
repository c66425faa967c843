//! `verify snp`: a report and its certificates.

use std::path::PathBuf;

use chrysalis_attestation::{policy::Policy, snp::product::Product};
use chrysalis_client::system_time;
use chrysalis_verifier::{MAX_EVIDENCE, Place, SnpRequest, Without, broken_product, waivers};
use clap::{Args, ValueEnum};

use super::{
    input::{read_all, read_for, read_policy, read_statements, usable},
    tell::tell,
    vtpm::{TpmArguments, read_quote},
};
use crate::{
    collateral,
    options::{FileOptions, report_data},
    outcome::Outcome,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: genuine or, with a policy, trusted. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis verify snp --report report.bin --cert vcek.der --crl genoa.crl"
)]
pub(crate) struct SnpArguments {
    /// The report: 1184 bytes, or Azure's HCL report around it, bare, in hex or base64; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) report: PathBuf,
    /// VCEK or VLEK certificate (DER, PEM, a certificate table such as configfs-tsm's auxblob, or Azure's THIM answer), and others of its chain
    #[arg(
        long = "cert",
        value_name = "FILE",
        required_unless_present = "collateral"
    )]
    pub(crate) certificates: Vec<PathBuf>,
    /// The root's revocation list (DER or PEM)
    #[arg(long = "crl", value_name = "FILE")]
    pub(crate) lists: Vec<PathBuf>,
    /// A folder that `chrysalis fetch` filled, for what the other options do not supply
    #[arg(long, value_name = "DIR")]
    pub(crate) collateral: Option<PathBuf>,
    /// What the guest was asked to put into `REPORT_DATA`: up to 64 bytes in hex, padded with zeros
    #[arg(long, value_name = "HEX", value_parser = report_data)]
    pub(crate) report_data: Option<[u8; 64]>,
    #[command(flatten)]
    pub(crate) tpm: TpmArguments,
    /// What a rebuilder or the publisher signed about the image; the policy names whose statements count
    #[arg(long = "statement", value_name = "FILE")]
    pub(crate) statements: Vec<PathBuf>,
    /// Accept without this input; the verdict lists it as not checked
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) without: Vec<SnpInput>,
    /// Accept a product line that is known to be broken, such as milan; with a policy, set `snp.broken` there instead
    #[arg(long, value_name = "PRODUCT", conflicts_with = "policy", value_parser = broken_product)]
    pub(crate) accept_broken: Vec<Product>,
    #[command(flatten)]
    pub(crate) options: FileOptions,
}

/// What a verification of a report may go without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SnpInput {
    /// Revocation list
    Crl,
    /// Proof by --report-data or --tpm-nonce that the evidence is recent
    Freshness,
    /// Values of the PCRs that a virtual TPM quoted
    Pcrs,
}

impl From<SnpInput> for Without {
    fn from(input: SnpInput) -> Self {
        match input {
            SnpInput::Crl => Self::Crl,
            SnpInput::Freshness => Self::Freshness,
            SnpInput::Pcrs => Self::Pcrs,
        }
    }
}

pub(crate) fn run(arguments: &SnpArguments) -> anyhow::Result<Outcome> {
    let options = &arguments.options;
    let without: Vec<Without> = arguments.without.iter().map(|it| (*it).into()).collect();
    let now = options.at.unwrap_or_else(system_time);
    let request = SnpRequest {
        policy: policy(arguments)?,
        report: read_for(Place::SNP_REPORT, &arguments.report, MAX_EVIDENCE)?,
        certificates: read_all(Place::SNP_CERTIFICATE, &arguments.certificates)?,
        lists: read_all(Place::REVOCATION_LIST, &arguments.lists)?,
        tpm: read_quote(&arguments.tpm, &without)?,
        statements: read_statements(&arguments.statements)?,
        report_data: arguments.report_data,
        waivers: waivers(&without, &arguments.accept_broken),
        explain: options.explain_only,
        now,
    };
    let verified = request.verify(|collateral, bare| match &arguments.collateral {
        Some(folder) => collateral::add_for_report(collateral, folder, bare),
        None => Ok(()),
    })?;
    tell(verified, options, now)
}

fn policy(arguments: &SnpArguments) -> anyhow::Result<Option<Policy>> {
    let Some(path) = &arguments.options.policy else {
        return Ok(None);
    };
    usable(path, Policy::parse(&read_policy(path)?)).map(Some)
}
