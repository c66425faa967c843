//! `verify snp`: a report and its certificates.

use std::path::PathBuf;

use anyhow::bail;
use chrysalis_attestation::{
    Collateral, Rejection, Waivers,
    alone::snp::{SnpEvidence, SnpQuestion, explain, verify},
    azure::{
        hcl::{self, Platform},
        thim,
    },
    encoding::pem,
    policy::Policy,
    snp::{AmdRoots, product::Product, table},
};
use chrysalis_client::system_time;
use clap::{Args, ValueEnum};

use super::{
    input::{MAX_EVIDENCE, read_all, read_for, read_policy, read_statements, usable},
    kind::Kind,
    place::Place,
    tell::tell,
    vtpm::{self, TpmArguments},
};
use crate::{
    collateral,
    options::{FileOptions, accepted, broken_product, report_data},
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

pub(crate) fn run(arguments: &SnpArguments) -> anyhow::Result<Outcome> {
    let options = &arguments.options;
    let policy = policy(arguments)?;
    let report = read_for(Place::SNP_REPORT, &arguments.report, MAX_EVIDENCE)?;
    let certificates = read_all(Place::SNP_CERTIFICATE, &arguments.certificates)?;
    let lists = read_all(Place::REVOCATION_LIST, &arguments.lists)?;
    let vtpm = vtpm::Files::read(&arguments.tpm)?;
    if vtpm.is_some() && !hcl::is_wrapped(&report) {
        bail!(
            "{} does not name the vTPM's key: a quote goes with Azure's HCL report, whole",
            arguments.report.display()
        );
    }
    let statements = read_statements(&arguments.statements)?;
    let now = options.at.unwrap_or_else(system_time);
    let waivers = waivers(arguments);
    let policy = policy.map(|policy| waivers.applied_to(policy));
    let verified = match gather(&certificates, lists) {
        Ok(mut collateral) => {
            collateral.statements = statements;
            if let Some(folder) = &arguments.collateral {
                // A wrapping that cannot be taken off is refused below, by name.
                let bare = hcl::unwrap(&report, Platform::Snp)
                    .map_or(&report[..], |wrapped| wrapped.report);
                collateral::add_for_report(&mut collateral, folder, bare)?;
            }
            let without_pcrs = arguments.without.contains(&SnpInput::Pcrs);
            let quoted = vtpm.as_ref();
            let quoted = quoted.map(|files| files.quoted(&arguments.tpm, without_pcrs));
            let evidence = SnpEvidence {
                report: &report,
                quoted: quoted.as_ref(),
            };
            let question = SnpQuestion {
                policy: policy.as_ref(),
                report_data: arguments.report_data.as_ref(),
                waivers: &waivers,
                roots: &policy
                    .as_ref()
                    .map_or_else(AmdRoots::amd, |policy| policy.roots().amd),
                collateral: &collateral,
                now,
            };
            if options.explain_only {
                explain(evidence, &question)
            } else {
                verify(evidence, &question)
            }
        }
        Err(rejection) => Err(rejection.into()),
    };
    tell(verified, options, now)
}

/// The reasons that the command line gives.
fn waivers(arguments: &SnpArguments) -> Waivers {
    let why = |input, why: &str| arguments.without.contains(&input).then(|| why.to_owned());
    Waivers {
        crl: why(SnpInput::Crl, "--without crl"),
        freshness: why(SnpInput::Freshness, "--without freshness"),
        broken: accepted(&arguments.accept_broken),
        ..Waivers::default()
    }
}

fn policy(arguments: &SnpArguments) -> anyhow::Result<Option<Policy>> {
    let Some(path) = &arguments.options.policy else {
        return Ok(None);
    };
    usable(path, Policy::parse(&read_policy(path)?)).map(Some)
}

/// Certificates and lists, out of whatever they were wrapped in.
fn gather(certificates: &[Vec<u8>], lists: Vec<Vec<u8>>) -> Result<Collateral, Rejection> {
    let mut collateral = Collateral::default();
    for file in certificates {
        collateral.certificates.extend(match Kind::of(file) {
            Kind::CertificateTable => table::certificates(file)?.certificates,
            Kind::AzureCertificates => thim::certificates(file)?,
            _ => pem::certificates(file)?,
        });
    }
    for file in lists {
        if pem::is_pem(&file) {
            let which = "a revocation list";
            let lists = pem::labelled(pem::REVOCATION_LIST, &file);
            collateral
                .crls
                .extend(lists.ok_or(Rejection::CertificateMalformed { which })?);
        } else {
            collateral.crls.push(file);
        }
    }
    Ok(collateral)
}
