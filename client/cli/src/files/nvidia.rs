//! `verify nvidia`: reports of GPUs, their chains, and what NVIDIA says about both.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use chrysalis_attestation::{
    Rejection, Waivers,
    alone::gpus::{GpuQuestion, explain, verify},
    nvidia::{
        GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots, evidence::read as read_evidence,
        needs::to_ask, ocsp::OcspAnswer, policy::Revocation, rim,
    },
    policy::{Policy, PolicyError},
};
use chrysalis_client::{Error, system_time};
use clap::{Args, ValueEnum};

use super::{
    input::{MAX_JSON, read_all, read_for, read_if, read_policy, usable},
    kind::Kind,
    place::Place,
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

pub(crate) fn run(arguments: &NvidiaArguments) -> anyhow::Result<Outcome> {
    let options = &arguments.options;
    let (policy, roots) = wanted(arguments)?;
    let mut collateral = GpuCollateral {
        rims: rims(arguments)?,
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
            let question = GpuQuestion {
                policy: policy.as_ref(),
                waivers: &waivers(arguments),
                ..GpuQuestion::new(&arguments.nonce, &roots, &collateral, now)
            };
            if options.explain_only {
                explain(&evidence, &question)
            } else {
                verify(&evidence, &question)
            }
        }
        Err(rejection) => Err(rejection.into()),
    };
    tell(verified, options, now)
}

/// The reasons that the command line gives.
fn waivers(arguments: &NvidiaArguments) -> Waivers {
    let why = |input, why: &str| arguments.without.contains(&input).then(|| why.to_owned());
    Waivers {
        ocsp: why(GpuInput::Ocsp, "--without ocsp"),
        rim: why(GpuInput::Rim, "--without rim"),
        fwid: why(GpuInput::Fwid, "--without fwid"),
        ..Waivers::default()
    }
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
fn wanted(arguments: &NvidiaArguments) -> anyhow::Result<(Option<GpuPolicy>, NvidiaRoots)> {
    let Some(path) = &arguments.options.policy else {
        return Ok((None, NvidiaRoots::nvidia()));
    };
    let (mut policy, roots) = usable(path, read(&read_policy(path)?))?;
    let Waivers {
        ocsp, rim, fwid, ..
    } = waivers(arguments);
    let proof = &mut policy.proof;
    if let Some(why) = ocsp {
        proof.revocation = Revocation::Unchecked { why };
    }
    proof.rims_unchecked = rim.or(proof.rims_unchecked.take());
    proof.fwid_unchecked = fwid.or(proof.fwid_unchecked.take());
    Ok((Some(policy), roots))
}

/// A simulated NVIDIA has a root for devices and one for manifests; a policy does not say which is which.
fn read(text: &str) -> Result<(GpuPolicy, NvidiaRoots), PolicyError> {
    let simulated = Policy::parse_simulation(text)?;
    let roots = simulated
        .into_iter()
        .fold(NvidiaRoots::nvidia(), |roots, root| {
            roots.and_simulated(root, root)
        });
    Ok((Policy::parse_gpu(text)?, roots))
}

fn evidence(arguments: &NvidiaArguments) -> anyhow::Result<Result<Vec<GpuEvidence>, Rejection>> {
    let report = read_for(Place::GPU_REPORT, &arguments.report, MAX_JSON)?;
    let chain = read_if(Place::GPU_CHAIN, arguments.chain.as_ref())?;
    let is_json = Kind::of(&report) == Kind::GpuJson;
    match (is_json, &chain) {
        (true, Some(_)) => bail!(
            "{} brings the chains of its GPUs: leave --chain out",
            arguments.report.display()
        ),
        (false, None) => bail!(
            "{} brings no certificates, and a bare report needs them: give them with --chain",
            arguments.report.display()
        ),
        _ => {}
    }
    let devices = read_evidence(&report, chain.as_deref());
    let Some(path) = &arguments.switches else {
        return Ok(devices);
    };
    let switches = read_for(Place::SWITCHES, path, MAX_JSON)?;
    let switches = read_evidence(&switches, None);
    Ok(devices.and_then(|gpus| Ok([gpus, switches?].concat())))
}

/// Manifests, out of the answers that NVIDIA's service gave.
fn rims(arguments: &NvidiaArguments) -> anyhow::Result<Vec<Vec<u8>>> {
    let files = read_all(Place::RIM, &arguments.rims)?;
    let taken_out = |(file, path): (Vec<u8>, &PathBuf)| match Kind::of(&file) {
        Kind::RimAnswer => rim::of_answer(&file).map(|it| it.rim).map_err(|why| {
            let (path, forms) = (path.display(), Place::RIM.forms);
            anyhow!("cannot take the manifest out of {path}: {why}\nhint: hand over {forms}")
        }),
        _ => Ok(file),
    };
    files
        .into_iter()
        .zip(&arguments.rims)
        .map(taken_out)
        .collect()
}
