//! `verify nvidia`: reports of GPUs, their chains, and what NVIDIA says about both.

use std::path::PathBuf;

use chrysalis_attestation::{
    Rejection, Waivers,
    nvidia::{
        GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots, needs::to_ask, ocsp::OcspAnswer,
        policy::Revocation,
    },
};
use chrysalis_client::{Error, system_time};
use chrysalis_verifier::{
    GpuRequest, MAX_JSON, Place, Without, gpu_evidence, gpu_policy, rims, waivers,
};
use clap::{Args, ValueEnum};

use super::{
    input::{read_all, read_for, read_if, read_policy, usable},
    tell::tell,
};
use crate::{
    collateral,
    options::{Asking, FileOptions, nonce},
    outcome::Outcome,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: genuine or, with a policy, trusted. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis verify nvidia --report report.bin --chain chain.pem --nonce 931d…4dfcb --rim driver.xml --rim vbios.xml --without ocsp"
)]
pub(crate) struct NvidiaArguments {
    /// The report: bytes, hex or base64; or JSON with all GPUs: of NVIDIA's attestation SDK, a request to its service, `evidences`, a CMW collection; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) report: PathBuf,
    /// The device's certificates, PEM, from the leaf to the root; JSON brings its own
    #[arg(long, value_name = "FILE")]
    pub(crate) chain: Option<PathBuf>,
    /// Evidence of the switches between GPUs in protected-PCIe mode: the JSON of NVIDIA's attestation SDK; it may also stand
    /// among that of the GPUs
    #[arg(long, value_name = "FILE")]
    pub(crate) switches: Option<PathBuf>,
    /// What the GPUs were asked: 32 bytes in hex
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    pub(crate) nonce: [u8; 32],
    /// A reference manifest of the driver, the VBIOS or a switch's firmware: XML, or the answer of NVIDIA's RIM service
    #[arg(long = "rim", value_name = "FILE")]
    pub(crate) rims: Vec<PathBuf>,
    /// An OCSP answer (DER)
    #[arg(long = "ocsp", value_name = "FILE")]
    pub(crate) answers: Vec<PathBuf>,
    /// A folder that `chrysalis fetch` filled, for what the other options do not supply
    #[arg(long, value_name = "DIR")]
    pub(crate) collateral: Option<PathBuf>,
    /// Accept without this input; the verdict lists it as not checked
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) without: Vec<GpuInput>,
    #[command(flatten)]
    pub(crate) asking: Asking,
    #[command(flatten)]
    pub(crate) options: FileOptions,
}

/// What a verification of GPUs may go without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GpuInput {
    /// OCSP answers: whether certificates are revoked
    Ocsp,
    /// Reference manifests: whether the firmware is one that NVIDIA published
    Rim,
    /// The firmware's identity, which reports of 2023 do not have
    Fwid,
}

impl From<GpuInput> for Without {
    fn from(input: GpuInput) -> Self {
        match input {
            GpuInput::Ocsp => Self::Ocsp,
            GpuInput::Rim => Self::Rim,
            GpuInput::Fwid => Self::Fwid,
        }
    }
}

pub(crate) fn run(arguments: &NvidiaArguments) -> anyhow::Result<Outcome> {
    let options = &arguments.options;
    let without: Vec<Without> = arguments.without.iter().map(|it| (*it).into()).collect();
    let waivers = waivers(&without, &[]);
    let (policy, roots) = wanted(arguments, &waivers)?;
    let mut collateral = GpuCollateral {
        rims: manifests(arguments)?,
        ocsp: read_all(Place::OCSP_ANSWER, &arguments.answers)?
            .into_iter()
            .map(|der| OcspAnswer { der, nonce: None })
            .collect(),
    };
    let now = options.at.unwrap_or_else(system_time);
    let verified = match evidence(arguments)? {
        Ok(evidence) => {
            if let Some(folder) = &arguments.collateral {
                collateral::add_for_gpus(&mut collateral, folder, &evidence)?;
            }
            let proof = policy.as_ref().map(|policy| &policy.proof);
            if proof.is_some_and(|proof| proof.revocation == Revocation::Asked) {
                ask(arguments, &evidence, &roots, &mut collateral)?;
            }
            let request = GpuRequest {
                evidence,
                nonce: arguments.nonce,
                roots,
                collateral,
                policy,
                waivers,
                explain: options.explain_only,
                now,
            };
            request.verify()
        }
        Err(rejection) => Err(rejection.into()),
    };
    tell(verified, options, now)
}

/// Asks NVIDIA about these GPUs and these manifests, in place of the answers that were brought along: nothing is newer.
fn ask(
    arguments: &NvidiaArguments,
    evidence: &[GpuEvidence],
    roots: &NvidiaRoots,
    collateral: &mut GpuCollateral,
) -> anyhow::Result<()> {
    let now = arguments.options.at.unwrap_or_else(system_time);
    let about = to_ask(evidence, &collateral.rims, roots, now);
    if about.is_empty() {
        return Ok(());
    }
    let ask = collateral::asking(&arguments.asking);
    let answers = ask(&about).map_err(|why| Error::Unasked { why })?;
    if !answers.is_empty() {
        collateral.ocsp = answers;
    }
    Ok(())
}

/// The policy of the file, with the reasons that the command line adds, and the roots it names.
fn wanted(
    arguments: &NvidiaArguments,
    waivers: &Waivers,
) -> anyhow::Result<(Option<GpuPolicy>, NvidiaRoots)> {
    let Some(path) = &arguments.options.policy else {
        return Ok((None, NvidiaRoots::nvidia()));
    };
    let (policy, roots) = usable(path, gpu_policy(&read_policy(path)?, waivers))?;
    Ok((Some(policy), roots))
}

fn evidence(arguments: &NvidiaArguments) -> anyhow::Result<Result<Vec<GpuEvidence>, Rejection>> {
    let report = read_for(Place::GPU_REPORT, &arguments.report, MAX_JSON)?;
    let chain = read_if(Place::GPU_CHAIN, arguments.chain.as_ref())?;
    let switches = arguments.switches.as_ref();
    let switches = switches.map(|path| read_for(Place::SWITCHES, path, MAX_JSON));
    let name = arguments.report.display().to_string();
    Ok(gpu_evidence(
        &name,
        &report,
        chain.as_deref(),
        switches.transpose()?.as_deref(),
    )?)
}

/// Manifests, out of the answers that NVIDIA's service gave.
fn manifests(arguments: &NvidiaArguments) -> anyhow::Result<Vec<Vec<u8>>> {
    let files = read_all(Place::RIM, &arguments.rims)?;
    let names = arguments.rims.iter();
    let names = names.map(|path| path.display().to_string());
    Ok(rims(names.zip(files).collect())?)
}
