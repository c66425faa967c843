//! The policy's checks, in the order of docs/spec/verification.md. Everything here is about evidence that is genuine and bound.

#[cfg(test)]
pub(crate) mod tests;

use super::{
    cpu::Cpu,
    epoch,
    gpus::Asked,
    models::{self, Configuration},
};
use crate::{
    Rejection, Time,
    azure::{self, vtpm},
    encoding::digest::Hex,
    evidence::{KeyAgreement, binding::Session, claims::Claims},
    nvidia::Devices,
    policy::{AgreementPolicy, Policy, ReleasePolicy, Waivers},
    release::{ANYONE_CAN_SIGN, Measured, Rebuilders},
    snp,
    tdx::{self, EventLog, Platform, TdxPolicy, report::TdReport},
    transcript::{Expect, Failed, Inspection, LEFT_OPEN, NO_POLICY, Step},
};

/// A verdict's name for the check of the key that signed a policy's release.
pub(crate) const RELEASE_KEY: &str = "release key";
/// When what nothing bounds ends.
const NEVER: Time = Time(i64::MAX);

/// What is appraised.
pub(crate) struct Subject<'a> {
    pub(crate) cpu: &'a mut Cpu,
    /// The event log that came with a TD, if any.
    pub(crate) event_log: Option<&'a [u8]>,
    pub(crate) claims: &'a Claims,
    pub(crate) gpus: &'a Asked,
    /// What rebuilders and the publisher signed, the verifier's own first.
    pub(crate) statements: &'a [Vec<u8>],
    pub(crate) now: Time,
    /// `None` if it is unknown, which happens only where the aim is to explain.
    pub(crate) session: Option<&'a Session>,
    /// How its keys were agreed, if the relying party saw it.
    pub(crate) agreement: Option<KeyAgreement>,
}

impl Subject<'_> {
    /// Is it what the policy wants? Without a policy: is all of its hardware genuine and current, and its memory private?
    ///
    /// Also returns when the first thing ends that this rests on, the CPU aside.
    pub(super) fn conclude(
        self,
        policy: Option<&Policy>,
        waivers: &Waivers,
        inspection: &mut Inspection,
    ) -> Result<(Devices, Time), Failed> {
        let (devices, until) = if let Some(policy) = policy {
            appraise(self, policy, inspection)?
        } else {
            let cpu = (self.cpu, self.event_log);
            (without_policy(cpu, self.gpus, waivers, inspection)?, NEVER)
        };
        let until = until.min(devices.until);
        Ok((devices, until))
    }
}

fn appraise(
    subject: Subject<'_>,
    policy: &Policy,
    inspection: &mut Inspection,
) -> Result<(Devices, Time), Failed> {
    let Subject {
        cpu,
        event_log,
        claims,
        gpus,
        statements,
        now,
        session,
        agreement,
    } = subject;
    let pinned = match cpu {
        Cpu::Snp(genuine) => {
            drop(snp_section(genuine, None, policy, inspection));
            let found = claims.configuration;
            configuration(policy.configuration.sha256.as_ref(), found, inspection);
            pinned(policy.configuration.sha256.as_ref())
        }
        Cpu::Tdx(genuine) => {
            drop(tdx_section(genuine, event_log, policy, inspection));
            let Hex(found) = genuine.td().report.mrconfigid;
            configuration(policy.configuration.sha384.as_ref(), found, inspection);
            pinned(policy.configuration.sha384.as_ref())
        }
    };
    known_answer(claims, session, inspection);
    let devices = gpus_section(gpus, policy, inspection);
    match session {
        Some(session) => freshness(session.is_asked(), policy, inspection),
        None => inspection.skip(("policy-12", "freshness"), "the conversation is unknown"),
    }
    key_agreement(agreement, session, policy, inspection);
    let measured = cpu.measured();
    rebuilders(
        policy.rebuilders.as_ref(),
        statements,
        &measured,
        inspection,
    );
    release(policy.release.as_ref(), inspection);
    models::models(policy.models.as_ref(), claims, pinned, inspection);
    epoch::young(&policy.max_epoch_age, claims, gpus.now(), inspection);
    let wanted = policy.release.as_ref();
    let until = endorsement(wanted, (statements, now), &measured, inspection);
    devices.map(|devices| (devices, until))
}

/// What is required without a policy: hardware that is genuine and current, and memory that is private.
pub(super) fn without_policy(
    (cpu, event_log): (&mut Cpu, Option<&[u8]>),
    gpus: &Asked,
    waivers: &Waivers,
    inspection: &mut Inspection,
) -> Result<Devices, Failed> {
    match cpu {
        Cpu::Snp(genuine) => {
            let crl = waivers.crl.as_deref();
            snp::wanted::without_policy(genuine, crl, &waivers.broken, inspection);
        }
        Cpu::Tdx(genuine) => {
            // If there is a log, it has to be the TD's.
            td(
                genuine,
                &TdxPolicy::genuine(NO_POLICY),
                (event_log, None),
                inspection,
            );
        }
    }
    if gpus.count() == 0 {
        return Ok(Devices::default());
    }
    gpus.verify(&waivers.gpu_policy(), None, inspection)
}

/// The policy's section for a platform, if it has one.
fn section<'p, T>(
    found: &'static str,
    section: &'static str,
    policy: Option<&'p T>,
    inspection: &mut Inspection,
) -> Result<&'p T, Failed> {
    inspection.check(
        ("policy-1", "platform"),
        || policy.ok_or(Rejection::PlatformUnwanted { found, section }),
        |_| found.to_owned(),
    )
}

/// Steps policy-1 to policy-8, and hcl-8.
fn snp_section(
    genuine: &snp::Genuine,
    vtpm: Option<&vtpm::Told>,
    policy: &Policy,
    inspection: &mut Inspection,
) -> Result<(), Failed> {
    let root = genuine.root;
    let refused = Rejection::SimulatedRootRefused {
        root: root.to_string(),
    };
    simulation(genuine.simulated, root, refused, policy, inspection);
    let wanted = section("AMD SEV-SNP", "snp", policy.snp.as_ref(), inspection)?;
    azure::wanted::pcrs(vtpm, &wanted.pcrs, inspection);
    snp::wanted::appraise(genuine, wanted, inspection);
    Ok(())
}

/// Step policy-1, then tdx-8 and tdx-9 in place of the other policy steps.
fn tdx_section(
    genuine: &mut tdx::Genuine,
    event_log: Option<&[u8]>,
    policy: &Policy,
    inspection: &mut Inspection,
) -> Result<(), Failed> {
    let root = genuine.root();
    let refused = Rejection::TdxSimulatedRootRefused { root };
    simulation(genuine.simulated(), root, refused, policy, inspection);
    let wanted = section("Intel TDX", "tdx", policy.tdx.as_ref(), inspection)?;
    let wanted = TdxPolicy {
        // No policy can know what a conversation asks for; bind-2 has checked that.
        report_data: Expect::AnyOf(vec![genuine.td().report.report_data.0]),
        ..wanted.clone()
    };
    td(genuine, &wanted, (event_log, None), inspection);
    Ok(())
}

/// Steps tdx-8, hcl-8 and tdx-9. The TD then has the events that explain its registers, if there was a log.
pub(super) fn td(
    genuine: &mut tdx::Genuine,
    policy: &TdxPolicy,
    beside: (Option<&[u8]>, Option<&vtpm::Told>),
    inspection: &mut Inspection,
) {
    tdx::wanted::standing(&genuine.td, policy, inspection);
    let found = (&genuine.td.report, &genuine.td.platform);
    genuine.td.event_log = td_without_standing(found, policy, beside, inspection);
}

/// The same for a TD whose platform's standing is unknown: to explain what else is wrong.
pub(super) fn td_without_standing(
    (report, platform): (&TdReport, &Platform),
    policy: &TdxPolicy,
    (event_log, vtpm): (Option<&[u8]>, Option<&vtpm::Told>),
    inspection: &mut Inspection,
) -> Option<EventLog> {
    tdx::wanted::td(report, platform, policy, inspection);
    azure::wanted::pcrs(vtpm, &policy.pcrs, inspection);
    tdx::wanted::event_log(report, policy, event_log, inspection)
}

/// Steps gpu-1 to gpu-11 as step policy-11, or the check that there are no GPUs.
fn gpus_section(
    gpus: &Asked,
    policy: &Policy,
    inspection: &mut Inspection,
) -> Result<Devices, Failed> {
    let found = gpus.count();
    let none_wanted = match &policy.gpu {
        Some(wanted) if found > 0 => {
            return gpus.verify(wanted, Some(&policy.simulation), inspection);
        }
        Some(wanted) => match &wanted.wanted.count {
            Expect::AnyOf(counts) if counts.contains(&0) => Ok(Devices::default()),
            Expect::AnyOf(counts) => Err(Rejection::GpuCountMismatch {
                found,
                wanted: counts.first().copied().unwrap_or(0),
            }),
            Expect::Unchecked { .. } => Err(Rejection::GpuEvidenceMissing),
        },
        None if found == 0 => Ok(Devices::default()),
        None => Err(Rejection::GpuUnexpected { found }),
    };
    inspection.check(
        ("policy-11", "GPUs"),
        || none_wanted,
        |_| "none, as the policy wants".to_owned(),
    )
}

fn freshness(fresh: bool, policy: &Policy, inspection: &mut Inspection) {
    let check = ("policy-12", "freshness");
    let why = policy.freshness_unchecked.as_deref();
    inspection.waivable(check, fresh, why, Rejection::FreshnessUnchecked);
}

/// Who asks for a model's key has not started the model yet.
fn known_answer(claims: &Claims, session: Option<&Session>, inspection: &mut Inspection) {
    const CHECK: Step = ("policy-10", "known answer");
    if let Some(Session::Keys { .. }) = session {
        return inspection.skip(CHECK, "asked for keys before its models start");
    }
    inspection.require(
        CHECK,
        claims.known_answer,
        Rejection::KnownAnswerFailed,
        "given",
    );
}

/// A conversation that was asked in had a connection, whose keys were agreed in some way. Evidence in a file had none.
fn key_agreement(
    found: Option<KeyAgreement>,
    session: Option<&Session>,
    policy: &Policy,
    inspection: &mut Inspection,
) {
    const CHECK: Step = ("policy-12", "key agreement");
    let seen = found.is_some() || session.is_some_and(Session::is_asked);
    let found_name = found.map_or("unknown", KeyAgreement::name);
    match policy.key_agreement {
        None => inspection.skip(CHECK, LEFT_OPEN),
        Some(AgreementPolicy::Any) => inspection.skip(CHECK, "the policy accepts any"),
        Some(AgreementPolicy::PostQuantum) if !seen => {
            inspection.skip(CHECK, "no connection was seen");
        }
        Some(AgreementPolicy::PostQuantum) => inspection.require(
            CHECK,
            found.is_some_and(KeyAgreement::is_post_quantum),
            Rejection::KeyAgreementWeak {
                found: found_name.to_owned(),
            },
            found_name,
        ),
    }
}

/// Is a report that came without claims, GPUs and a conversation what the policy wants?
///
/// `fresh` says that its `REPORT_DATA`, or what a virtual TPM signed, is what the relying party asked for.
pub(super) fn report_alone(
    (genuine, vtpm): (&snp::Genuine, Option<&vtpm::Told>),
    policy: &Policy,
    fresh: bool,
    (statements, now): (&[Vec<u8>], Time),
    inspection: &mut Inspection,
) -> Result<Time, Failed> {
    snp_section(genuine, vtpm, policy, inspection)?;
    let found = genuine.report.host_data;
    configuration(policy.configuration.sha256.as_ref(), found, inspection);
    let alone = "a report alone does not show this";
    inspection.skip(("policy-10", "known answer"), alone);
    inspection.skip(("policy-11", "GPUs"), alone);
    freshness(fresh, policy, inspection);
    release(policy.release.as_ref(), inspection);
    let measured = genuine.measured();
    rebuilders(
        policy.rebuilders.as_ref(),
        statements,
        &measured,
        inspection,
    );
    match &policy.models {
        Some(_) => inspection.skip(("policy-15", "models"), alone),
        None => models::left_open(pinned(policy.configuration.sha256.as_ref()), inspection),
    }
    let wanted = policy.release.as_ref();
    Ok(endorsement(
        wanted,
        (statements, now),
        &measured,
        inspection,
    ))
}

/// Step policy-13.
pub(super) fn rebuilders(
    wanted: Option<&Rebuilders>,
    statements: &[Vec<u8>],
    measured: &Measured,
    inspection: &mut Inspection,
) {
    const CHECK: Step = ("policy-13", "rebuilders");
    let Some(wanted) = wanted else {
        return inspection.skip(CHECK, LEFT_OPEN);
    };
    inspection.note(
        CHECK,
        || wanted.confirm(statements, measured),
        |found| format!("{found} of {} confirm the image", wanted.keys.len()),
    );
}

/// Step policy-14: anyone could have signed the release that the digests come from, and the policy says that it accepts this.
pub(super) fn release(wanted: Option<&ReleasePolicy>, inspection: &mut Inspection) {
    let why = wanted.and_then(|it| it.development.as_ref());
    if let Some(why) = why {
        let told = format!("{ANYONE_CAN_SIGN} ({why})");
        inspection.skip(("policy-14", RELEASE_KEY), &told);
    }
}

/// Step policy-17: does the publisher still stand by the release that the digests come from? Until when, if that is wanted.
pub(super) fn endorsement(
    wanted: Option<&ReleasePolicy>,
    (statements, now): (&[Vec<u8>], Time),
    measured: &Measured,
    inspection: &mut Inspection,
) -> Time {
    const CHECK: Step = ("policy-17", "endorsement");
    let Some(release) = wanted else { return NEVER };
    let Some(endorser) = release.endorser() else {
        inspection.skip(CHECK, LEFT_OPEN);
        return NEVER;
    };
    let found = inspection.check(
        CHECK,
        || endorser.confirm(statements, measured, now),
        |it| format!("of {}, until {}", it.issued, it.until),
    );
    found.map_or(NEVER, |it| it.until)
}

/// The policy that appraises may not be the one whose roots were used to authenticate.
fn simulation(
    simulated: bool,
    root: Hex<32>,
    refused: Rejection,
    policy: &Policy,
    inspection: &mut Inspection,
) {
    if simulated {
        let named = policy.simulation.contains(&root.0);
        let check = ("policy-1", "simulation");
        inspection.require(check, named, refused, "a named simulated root");
    }
}

/// A policy without a digest for this platform accepts no configuration on it.
fn configuration<const N: usize>(
    wanted: Option<&Expect<[u8; N]>>,
    found: [u8; N],
    inspection: &mut Inspection,
) {
    let unknown = Rejection::ConfigurationUnknown {
        found: hex::encode(found),
    };
    let check = ("policy-9", "configuration");
    match wanted {
        Some(wanted) => inspection.expect(check, Some(wanted), &found, unknown, Hex(found)),
        None => inspection.require(check, false, unknown, ""),
    }
}

/// Whether the configuration, and with it every model that it names, is one that the policy knows.
fn pinned<T>(wanted: Option<&Expect<T>>) -> Configuration {
    match wanted {
        Some(Expect::AnyOf(_)) => Configuration::Pinned,
        Some(Expect::Unchecked { .. }) | None => Configuration::Open,
    }
}

/// `REPORT_DATA` is what was asked for.
pub(super) fn report_data(
    genuine: &snp::Genuine,
    expected: &[u8; 64],
    inspection: &mut Inspection,
) {
    let found = Hex(genuine.report.report_data);
    let unknown = Rejection::PinUnknown {
        field: "REPORT_DATA",
        found: found.to_string(),
    };
    let check = ("policy-7", "report data");
    inspection.require(check, found.0 == *expected, unknown, found);
}
