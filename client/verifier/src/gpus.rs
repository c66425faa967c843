//! Reports of GPUs, their chains, and what NVIDIA says about both, as somebody hands them over.

use chrysalis_attestation::{
    Refusal, Rejection, Time, Waivers,
    alone::{
        Verified,
        gpus::{GpuQuestion, explain, verify},
    },
    nvidia::{
        Devices, GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots, evidence::read,
        policy::Revocation, rim,
    },
    policy::{Policy, PolicyError},
};

use crate::{Kind, Misuse, Place, misuse::misuse};

/// What is asked about GPUs.
#[derive(Debug)]
pub struct GpuRequest {
    /// Their evidence: [`gpu_evidence`].
    pub evidence: Vec<GpuEvidence>,
    /// What they were asked.
    pub nonce: [u8; 32],
    /// Whose chains count.
    pub roots: NvidiaRoots,
    /// Manifests and answers.
    pub collateral: GpuCollateral,
    /// What is wanted: [`gpu_policy`].
    pub policy: Option<GpuPolicy>,
    /// What the verification goes without.
    pub waivers: Waivers,
    /// Whether to go on after what is wrong.
    pub explain: bool,
    /// The moment to judge by.
    pub now: Time,
}

impl GpuRequest {
    /// The verdict.
    pub fn verify(&self) -> Result<Verified<Devices>, Refusal> {
        let question = GpuQuestion {
            policy: self.policy.as_ref(),
            waivers: &self.waivers,
            ..GpuQuestion::new(&self.nonce, &self.roots, &self.collateral, self.now)
        };
        if self.explain {
            explain(&self.evidence, &question)
        } else {
            verify(&self.evidence, &question)
        }
    }
}

/// What a policy's text says about GPUs, with what is waived, and the roots that it names.
pub fn gpu_policy(text: &str, waivers: &Waivers) -> Result<(GpuPolicy, NvidiaRoots), PolicyError> {
    // A simulated NVIDIA has a root for devices and one for manifests; a policy does not say which is which.
    let simulated = Policy::parse_simulation(text)?;
    let roots = simulated
        .into_iter()
        .fold(NvidiaRoots::nvidia(), |roots, root| {
            roots.and_simulated(root, root)
        });
    let mut policy = Policy::parse_gpu(text)?;
    let proof = &mut policy.proof;
    if let Some(why) = waivers.ocsp.clone() {
        proof.revocation = Revocation::Unchecked { why };
    }
    proof.rims_unchecked = waivers.rim.clone().or(proof.rims_unchecked.take());
    proof.fwid_unchecked = waivers.fwid.clone().or(proof.fwid_unchecked.take());
    Ok((policy, roots))
}

/// The devices of a report, the file of this name, with its chain unless it is JSON that has them, and of switches; the inner error is a verdict.
pub fn gpu_evidence(
    name: &str,
    report: &[u8],
    chain: Option<&[u8]>,
    switches: Option<&[u8]>,
) -> Result<Result<Vec<GpuEvidence>, Rejection>, Misuse> {
    match (Kind::of(report) == Kind::GpuJson, chain) {
        (true, Some(_)) => misuse!("{name} brings the chains of its GPUs: leave --chain out"),
        (false, None) => misuse!(
            "{name} brings no certificates, and a bare report needs them: give them with --chain"
        ),
        _ => {}
    }
    let devices = read(report, chain);
    let Some(switches) = switches else {
        return Ok(devices);
    };
    let switches = read(switches, None);
    Ok(devices.and_then(|gpus| Ok([gpus, switches?].concat())))
}

/// Manifests, each a file with its name, out of the answers that NVIDIA's service gave.
pub fn rims(files: Vec<(String, Vec<u8>)>) -> Result<Vec<Vec<u8>>, Misuse> {
    let taken_out = |(name, file): (String, Vec<u8>)| match Kind::of(&file) {
        Kind::RimAnswer => rim::of_answer(&file).map(|it| it.rim).map_err(|why| {
            let forms = Place::RIM.forms;
            Misuse::new(format!(
                "cannot take the manifest out of {name}: {why}\nhint: hand over {forms}"
            ))
        }),
        _ => Ok(file),
    };
    files.into_iter().map(taken_out).collect()
}
