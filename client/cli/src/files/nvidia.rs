//! `verify nvidia`: reports of GPUs, their chains, and what NVIDIA says about both.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    Rejection,
    alone::{
        Verified,
        gpus::{GpuQuestion, explain, verify},
    },
    nvidia::{
        Gpu, GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots,
        evidence::read as read_evidence,
        needs::to_ask,
        ocsp::OcspAnswer,
        policy::{Proof, Revocation, Wanted},
        rim,
    },
    policy::{Policy, PolicyError},
};
use chrysalis_client::{Error, system_time};
use serde_json::{Value, json};

use super::{
    NO_POLICY,
    finding::Finding,
    input::{MAX_EVIDENCE, MAX_JSON, read_all, read_for, read_policy},
    kind::{Kind, Place},
};
use crate::{
    Outcome,
    arguments::{GpuInput, NvidiaArguments},
    collateral,
};

pub(crate) fn run(arguments: &NvidiaArguments) -> anyhow::Result<Outcome> {
    let options = &arguments.options;
    let has_policy = options.policy.is_some();
    let (policy, roots) = wanted(arguments)?;
    let mut collateral = GpuCollateral {
        rims: rims(arguments)?,
        ocsp: read_all(Place::OcspAnswer, &arguments.answers)?
            .into_iter()
            .map(|der| OcspAnswer { der, nonce: None })
            .collect(),
    };
    let finding = match evidence(arguments)? {
        Ok(evidence) => {
            if let Some(folder) = &arguments.collateral {
                collateral::add_for_gpus(&mut collateral, folder, &evidence)?;
            }
            if policy.proof.revocation == Revocation::Asked {
                ask(arguments, &evidence, &roots, &mut collateral)?;
            }
            let question = GpuQuestion {
                nonce: &arguments.nonce,
                roots: &roots,
                collateral: &collateral,
                policy: &policy,
                now: options.at.unwrap_or_else(system_time),
            };
            finding(&evidence, &question, options.explain_only, has_policy)
        }
        Err(rejection) => Finding::unreadable(has_policy, rejection),
    };
    finding.tell(&options.telling, options.explain_only)
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

/// The policy of the file and the roots it names, or that every genuine GPU will do; with the reasons that the command line adds.
fn wanted(arguments: &NvidiaArguments) -> anyhow::Result<(GpuPolicy, NvidiaRoots)> {
    let (mut policy, roots) = match &arguments.options.policy {
        Some(path) => read(&read_policy(path)?)
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| format!("the policy {} cannot be used", path.display()))?,
        // Whoever names a file of answers accepts answers that were brought along.
        None => (
            GpuPolicy {
                proof: Proof::offline(),
                wanted: Wanted::any(NO_POLICY),
            },
            NvidiaRoots::nvidia(),
        ),
    };
    let proof = &mut policy.proof;
    let why = |name: &str| format!("--without {name}");
    for input in &arguments.without {
        match input {
            GpuInput::Ocsp => proof.revocation = Revocation::Unchecked { why: why("ocsp") },
            GpuInput::Rim => proof.rims_unchecked = Some(why("rim")),
            GpuInput::Fwid => proof.fwid_unchecked = Some(why("fwid")),
        }
    }
    Ok((policy, roots))
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
    let report = read_for(Place::GpuReport, &arguments.report, MAX_JSON)?;
    let chain = match &arguments.chain {
        Some(path) => Some(read_for(Place::GpuChain, path, MAX_EVIDENCE)?),
        None => None,
    };
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
    let switches = read_for(Place::Switches, path, MAX_JSON)?;
    let switches = read_evidence(&switches, None);
    Ok(devices.and_then(|gpus| Ok([gpus, switches?].concat())))
}

/// Manifests, out of the answers that NVIDIA's service gave.
fn rims(arguments: &NvidiaArguments) -> anyhow::Result<Vec<Vec<u8>>> {
    let files = read_all(Place::Rim, &arguments.rims)?;
    let taken_out = |(file, path): (Vec<u8>, &PathBuf)| match Kind::of(&file) {
        Kind::RimAnswer => rim::of_answer(&file).map(|it| it.rim).map_err(|why| {
            let (path, forms) = (path.display(), Place::Rim.forms());
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

fn finding(
    evidence: &[GpuEvidence],
    question: &GpuQuestion<'_>,
    explain_all: bool,
    policy: bool,
) -> Finding {
    let refused = |failures, transcript| Finding {
        policy,
        failures,
        transcript,
        until: None,
        claims: Value::Null,
        lines: Vec::new(),
        broken: None,
    };
    if explain_all {
        let (failures, transcript) = explain(evidence, question);
        if !failures.is_empty() {
            return refused(failures, transcript);
        }
    }
    match verify(evidence, question) {
        Ok(verified) => Finding {
            policy,
            failures: Vec::new(),
            transcript: verified.transcript().clone(),
            until: Some(verified.until()),
            claims: claims(&verified, question),
            lines: lines(&verified),
            broken: None,
        },
        Err(refusal) => refused(vec![refusal.rejection], refusal.transcript),
    }
}

/// A line for each kind of device; a machine's are alike.
fn lines(verified: &Verified) -> Vec<[String; 3]> {
    let genuine = if verified.simulated() {
        "SIMULATED, not NVIDIA hardware"
    } else {
        "genuine"
    };
    let compared = |firmware: bool| {
        if firmware {
            "firmware matches"
        } else {
            "firmware not compared"
        }
    };
    let gpus = verified.gpus().iter().map(|gpu| {
        let firmware = gpu.driver_measurements.is_some() && gpu.vbios_measurements.is_some();
        let (firmware, driver, vbios) = (compared(firmware), &gpu.driver, &gpu.vbios);
        let how = format!("{genuine}, {firmware}, driver {driver}, VBIOS {vbios}");
        ("gpu", gpu.model.replace(" GSP BROM", ""), how)
    });
    let switches = verified.switches().iter().map(|switch| {
        let firmware = compared(switch.measurements.is_some());
        let how = format!("{genuine}, {firmware}, {}", switch.firmware);
        ("switch", switch.model.replace(" FSP BROM", ""), how)
    });
    let mut kinds: Vec<((&str, String, String), usize)> = Vec::new();
    for kind in gpus.chain(switches) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let line = |((which, model, how), count): ((&str, String, String), usize)| {
        [which.to_owned(), format!("NVIDIA {model} ×{count}"), how]
    };
    kinds.into_iter().map(line).collect()
}

/// What genuine GPUs say. What all of them have in common stands by itself too, so that one GPU needs no list.
fn claims(verified: &Verified, question: &GpuQuestion<'_>) -> Value {
    let gpus = verified.gpus();
    let common = |of: fn(&Gpu) -> &str| {
        let mut values = gpus.iter().map(of);
        let first = values.next();
        first.filter(|first| values.all(|value| value == *first))
    };
    let revocation = &question.policy.proof.revocation;
    let status = |held: bool| match (revocation, held) {
        (Revocation::Unchecked { .. }, _) => "not_checked",
        (_, true) => "on_hold",
        (_, false) => "good",
    };
    let each: Vec<Value> = gpus
        .iter()
        .map(|gpu| {
            let mut claims = json!(gpu);
            claims["status"] = status(gpu.on_hold).into();
            claims
        })
        .collect();
    let mut claims = json!({
        "platform": "nvidia",
        "nonce": hex::encode(question.nonce),
        "driver": common(|gpu| &gpu.driver),
        "vbios": common(|gpu| &gpu.vbios),
        "model": common(|gpu| &gpu.model),
        "status": status(gpus.iter().any(|gpu| gpu.on_hold)),
        "gpus": each,
    });
    if !verified.switches().is_empty() {
        claims["switches"] = json!(verified.switches());
    }
    claims
}
