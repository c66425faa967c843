//! The policy's checks, in the order of docs/spec/verification.md. Everything here is about evidence that is genuine and bound.

mod checks;
mod snp;
#[cfg(test)]
pub(crate) mod tests;
mod waivers;

pub use self::waivers::Waivers;

use crate::{
    Rejection,
    binding::Session,
    claims::Claims,
    cpu::Cpu,
    digest::Hex,
    nvidia::Devices,
    policy::{Expect, Policy, ReleasePolicy, SnpPolicy},
    release::{ANYONE_CAN_SIGN, Measured, Rebuilders},
    snp::{Genuine, broken::Accepted},
    stages::gpus::Asked,
    tdx::{self, TdxPolicy},
    verdict::{LEFT_OPEN, NO_POLICY, Transcript},
};

/// What a verdict calls the check of the key that signed the release of a policy.
pub(crate) const RELEASE_KEY: &str = "release key";

/// What is appraised.
pub(crate) struct Subject<'a> {
    pub(crate) cpu: &'a mut Cpu,
    /// What came with a TD; none if nothing did.
    pub(crate) event_log: Option<&'a [u8]>,
    pub(crate) claims: &'a Claims,
    pub(crate) gpus: &'a Asked,
    /// What rebuilders say, the verifier's own statements first.
    pub(crate) statements: &'a [Vec<u8>],
    /// None if nobody knows it, which only happens where the aim is to explain.
    pub(crate) session: Option<&'a Session>,
}

/// Holds the subject against the policy. No GPUs come of it only where their failure was put off.
pub(crate) fn appraise(
    subject: Subject<'_>,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<Option<Devices>, Rejection> {
    let Subject {
        cpu,
        event_log,
        claims,
        gpus,
        statements,
        session,
    } = subject;
    let wanted = cpu_wanted(cpu, event_log, claims, policy, transcript);
    transcript.settle(wanted)?;
    let check = ("policy-10", "known answer");
    transcript.require(
        check,
        claims.known_answer,
        Rejection::KnownAnswerFailed,
        "given",
    )?;
    let gpus = gpus_wanted(gpus, policy, transcript);
    let gpus = transcript.put_off(gpus)?;
    match session {
        Some(session) => freshness(matches!(session, Session::Asked { .. }), policy, transcript)?,
        None => transcript.not_checked("policy-12", "freshness", "nobody knows the conversation"),
    }
    let measured = cpu.measured();
    rebuilders(
        policy.rebuilders.as_ref(),
        statements,
        &measured,
        transcript,
    )?;
    release(policy.release.as_ref(), transcript);
    Ok(gpus)
}

/// Steps policy-1 to policy-9.
fn cpu_wanted(
    cpu: &mut Cpu,
    event_log: Option<&[u8]>,
    claims: &Claims,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    match cpu {
        Cpu::Snp(genuine) => {
            let wanted = cpu_snp(genuine, policy, transcript);
            transcript.settle(wanted)?;
            let found = claims.configuration;
            configuration(policy.configuration.sha256.as_ref(), found, transcript)
        }
        Cpu::Tdx(genuine) => {
            let wanted = cpu_tdx(genuine, event_log, policy, transcript);
            transcript.settle(wanted)?;
            let Hex(found) = genuine.td().report.mrconfigid;
            configuration(policy.configuration.sha384.as_ref(), found, transcript)
        }
    }
}

/// What is required where nobody brought a policy: hardware that is genuine and current, and memory that is private.
pub(crate) fn without_policy(
    (cpu, event_log): (&mut Cpu, Option<&[u8]>),
    gpus: &Asked,
    waivers: &Waivers,
    transcript: &mut Transcript,
) -> Result<Option<Devices>, Rejection> {
    let private = match cpu {
        Cpu::Snp(genuine) => {
            let crl = waivers.crl.as_deref();
            appraise_without_policy(genuine, crl, &waivers.broken, transcript)
        }
        Cpu::Tdx(genuine) => {
            let policy = TdxPolicy::genuine(NO_POLICY);
            // A log that came along has to be the TD's.
            genuine.appraise(&policy, event_log, transcript)
        }
    };
    transcript.settle(private)?;
    if gpus.count() == 0 {
        return Ok(Some(Devices::default()));
    }
    let gpus = gpus.verify(&waivers.gpu_policy(), None, transcript);
    transcript.put_off(gpus)
}

/// The policy's section for a platform, which it may not have.
fn wanted<'p, T>(
    found: &'static str,
    section: &'static str,
    policy: Option<&'p T>,
    transcript: &mut Transcript,
) -> Result<&'p T, Rejection> {
    let unwanted = Rejection::PlatformUnwanted { found, section };
    let policy = policy.ok_or(unwanted);
    transcript.record("policy-1", "platform", policy, |_| found.to_owned())
}

/// Steps policy-1 to policy-8.
fn cpu_snp(
    genuine: &Genuine,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let root = genuine.root;
    let refused = Rejection::SimulatedRootRefused {
        root: root.to_string(),
    };
    simulation(genuine.simulated, root, refused, policy, transcript)?;
    let wanted: &SnpPolicy = wanted("AMD SEV-SNP", "snp", policy.snp.as_ref(), transcript)?;
    snp::appraise(genuine, wanted, transcript)
}

/// Step policy-1, and in the place of the others tdx-8 and tdx-9.
fn cpu_tdx(
    genuine: &mut tdx::Genuine,
    event_log: Option<&[u8]>,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let root = genuine.root();
    let refused = Rejection::TdxSimulatedRootRefused { root };
    simulation(genuine.simulated(), root, refused, policy, transcript)?;
    let wanted: &TdxPolicy = wanted("Intel TDX", "tdx", policy.tdx.as_ref(), transcript)?;
    let wanted = TdxPolicy {
        // No policy can know what a conversation asks for; bind-2 did.
        report_data: Expect::AnyOf(vec![genuine.td().report.report_data.0]),
        ..wanted.clone()
    };
    genuine.appraise(&wanted, event_log, transcript)
}

/// Steps gpu-1 to gpu-11 as step policy-11, or that there are none.
fn gpus_wanted(
    gpus: &Asked,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<Devices, Rejection> {
    let found = gpus.count();
    let none_wanted = match &policy.gpu {
        Some(wanted) if found > 0 => {
            return gpus.verify(wanted, Some(&policy.simulation), transcript);
        }
        Some(wanted) => match &wanted.wanted.count {
            Expect::AnyOf(counts) if counts.contains(&0) => Ok(()),
            Expect::AnyOf(counts) => Err(Rejection::GpuCountMismatch {
                found,
                wanted: counts.first().copied().unwrap_or(0),
            }),
            Expect::Unchecked { .. } => Err(Rejection::GpuEvidenceMissing),
        },
        None if found == 0 => Ok(()),
        None => Err(Rejection::GpuUnexpected { found }),
    };
    transcript.record("policy-11", "GPUs", none_wanted, |()| {
        "none, as the policy wants".to_owned()
    })?;
    Ok(Devices::default())
}

fn freshness(fresh: bool, policy: &Policy, transcript: &mut Transcript) -> Result<(), Rejection> {
    let why = policy.freshness_unchecked.as_deref();
    transcript.waivable(
        ("policy-12", "freshness"),
        fresh,
        why,
        Rejection::FreshnessUnchecked,
    )
}

/// Holds a report against the policy that came without claims, GPUs and a conversation.
///
/// `fresh` says that its `REPORT_DATA` is what the relying party asked for.
pub(crate) fn appraise_alone(
    genuine: &Genuine,
    policy: &Policy,
    fresh: bool,
    statements: &[Vec<u8>],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    cpu_snp(genuine, policy, transcript)?;
    let found = genuine.report.host_data;
    configuration(policy.configuration.sha256.as_ref(), found, transcript)?;
    let alone = "a report alone does not tell";
    transcript.not_checked("policy-10", "known answer", alone);
    transcript.not_checked("policy-11", "GPUs", alone);
    freshness(fresh, policy, transcript)?;
    release(policy.release.as_ref(), transcript);
    let measured = genuine.measured();
    rebuilders(
        policy.rebuilders.as_ref(),
        statements,
        &measured,
        transcript,
    )
}

/// Step policy-13.
pub(crate) fn rebuilders(
    wanted: Option<&Rebuilders>,
    statements: &[Vec<u8>],
    measured: &Measured,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let check = ("policy-13", "rebuilders");
    let Some(wanted) = wanted else {
        transcript.not_checked(check.0, check.1, LEFT_OPEN);
        return Ok(());
    };
    match wanted.confirm(statements, measured) {
        Ok(found) => {
            let of = wanted.keys.len();
            let told = format!("{found} of {of} confirm the image");
            transcript.record(check.0, check.1, Ok(()), |()| told)
        }
        Err(too_few) => transcript.require(check, false, too_few, ""),
    }
}

/// Step policy-14: the digests are from a release for which nobody vouches, and the policy says that it knows.
pub(crate) fn release(wanted: Option<&ReleasePolicy>, transcript: &mut Transcript) {
    let why = wanted.and_then(|it| it.development.as_ref());
    if let Some(why) = why {
        let told = format!("{ANYONE_CAN_SIGN} ({why})");
        transcript.not_checked("policy-14", RELEASE_KEY, &told);
    }
}

/// What is required of a report where nobody brought a policy: a product line that is not known to be broken, memory that is
/// private, and a list that says who is revoked.
pub(crate) fn appraise_without_policy(
    genuine: &Genuine,
    revocation_unchecked: Option<&str>,
    broken: &Accepted,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    snp::sound(genuine, broken, transcript)?;
    if !genuine.chip_compared {
        let why = "the host masks the chip, or a provider's key signed";
        transcript.not_checked("policy-1", "certified chip", why);
    }
    transcript.waivable(
        ("policy-2", "revocation"),
        genuine.validity.revocation_until.is_some(),
        revocation_unchecked,
        Rejection::RevocationUnchecked,
    )?;
    snp::private(genuine, transcript)
}

/// The policy that appraises may be another than the one whose roots authenticated.
fn simulation(
    simulated: bool,
    root: Hex<32>,
    refused: Rejection,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    if !simulated {
        return Ok(());
    }
    let named = policy.simulation.contains(&root.0);
    let check = ("policy-1", "simulation");
    transcript.require(check, named, refused, "a named simulated root")
}

/// A policy without a digest for this platform wants no configuration of it.
fn configuration<const N: usize>(
    wanted: Option<&Expect<[u8; N]>>,
    found: [u8; N],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let unknown = Rejection::ConfigurationUnknown {
        found: hex::encode(found),
    };
    let check = ("policy-9", "configuration");
    match wanted {
        Some(wanted) => transcript.expect(check, Some(wanted), &found, unknown, Hex(found)),
        None => transcript.require(check, false, unknown, ""),
    }
}

/// `REPORT_DATA` is what was asked for.
pub(crate) fn report_data(
    genuine: &Genuine,
    expected: &[u8; 64],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let found = Hex(genuine.report.report_data);
    let unknown = Rejection::PinUnknown {
        field: "REPORT_DATA",
        found: found.to_string(),
    };
    let check = ("policy-7", "report data");
    transcript.require(check, found.0 == *expected, unknown, found)
}
