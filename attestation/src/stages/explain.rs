//! The walk through every check that can be made, failures or not: to explain evidence, never to accept it.

use super::{Collateral, Unverified, about, gpus, unbound::unbound};
use crate::{
    Rejection, Time,
    appraise::{self, Subject, Waivers},
    binding::Session,
    bundle::{CpuReport, Evidence},
    claims::Claims,
    cpu,
    policy::Policy,
    roots::Roots,
    verdict::Transcript,
};

/// What evidence is held against to be explained.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whose chains count.
    pub roots: &'a Roots,
    /// What the verifier brings.
    pub collateral: &'a Collateral,
    /// The time.
    pub now: Time,
    /// The conversation and the DER `SubjectPublicKeyInfo` of the peer's TLS key; none if nobody knows them.
    pub conversation: Option<(&'a Session, &'a [u8])>,
    /// What is wanted; without it, whether the hardware is genuine and its memory private.
    pub policy: Option<&'a Policy>,
    /// What the verifier goes without. A policy has fields of its own for it: [`Waivers::applied_to`].
    pub waivers: &'a Waivers,
}

/// Everything that is wrong with evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    failures: Vec<Rejection>,
    transcript: Transcript,
}

impl Explained {
    /// What is wrong, in order. An empty list is no verdict: only the walk itself leads to one.
    pub fn failures(&self) -> &[Rejection] {
        &self.failures
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

impl Unverified {
    /// Makes every check that can be made, failures or not.
    pub fn explain(self, question: &Question<'_>) -> Explained {
        let mut transcript = Transcript::explaining();
        let stopped = walk(self.0, question, &mut transcript).err();
        let mut failures: Vec<Rejection> = Vec::new();
        for failure in transcript.deferred().into_iter().chain(stopped) {
            // The same lie may fail two checks.
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
        Explained {
            failures,
            transcript,
        }
    }
}

/// Why a revocation list that came along says nothing.
const STOPPED: &str = "a list came along; what failed at snp-4 kept it from being used";
/// Why nothing more is said of a CPU.
const UNREADABLE: &str = "too little of the evidence can be read";
/// Why nothing is said of a conversation.
const UNKNOWN: &str = "nobody knows which conversation it is about";

fn walk(
    evidence: Evidence,
    question: &Question<'_>,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let Question {
        roots,
        collateral,
        now,
        ..
    } = *question;
    let Evidence {
        cpu,
        claims,
        gpus,
        endorsements,
    } = evidence;
    let sources = (collateral, &endorsements);
    let found = cpu::explain(&cpu, sources, roots, now, transcript)?;
    let gpus = gpus::Unproved::new(gpus, &roots.nvidia, sources, now);
    let event_log = match &cpu {
        CpuReport::Tdx { event_log, .. } => {
            Some(event_log.as_slice()).filter(|log| !log.is_empty())
        }
        CpuReport::Snp(_) => None,
    };
    let claims_read = Claims::decode(&claims);
    let claims_read = transcript.record("bind-1", "claims", claims_read, |it| it.profile.clone());
    let claims_read = transcript.put_off(claims_read)?;
    let (Some((mut cpu, stopped)), Some(claims_read)) = (found, claims_read) else {
        return gpus_alone(gpus, question, transcript);
    };
    let gpus = if let Some((session, spki)) = question.conversation {
        let told = (&cpu, claims.as_slice(), &claims_read);
        about(told, gpus, session, spki, transcript)?
    } else {
        let why = unbound(question.waivers, transcript);
        let why = transcript.put_off(why)?.unwrap_or(UNKNOWN);
        gpus.unbound(why, transcript)?
    };
    let Some(policy) = question.policy else {
        let mut waivers = question.waivers.clone();
        if stopped {
            waivers.crl = Some(STOPPED.to_owned());
        }
        let of_the_cpu = (&mut cpu, event_log);
        return appraise::without_policy(of_the_cpu, &gpus, &waivers, transcript).map(drop);
    };
    let mut policy = policy.clone();
    if let Some(snp) = policy.snp.as_mut().filter(|_| stopped) {
        snp.revocation_unchecked = Some(STOPPED.to_owned());
    }
    let statements = [&collateral.statements[..], &endorsements.statements].concat();
    let subject = Subject {
        cpu: &mut cpu,
        event_log,
        claims: &claims_read,
        gpus: &gpus,
        statements: &statements,
        session: question.conversation.map(|(session, _)| session),
    };
    appraise::appraise(subject, &policy, transcript).map(drop)
}

/// What can be said where too little of the rest can be read.
fn gpus_alone(
    gpus: gpus::Unproved,
    question: &Question<'_>,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    transcript.not_checked("bind-2", "binding", UNREADABLE);
    transcript.not_checked("policy-1", "platform", UNREADABLE);
    let gpus = gpus.unbound(UNREADABLE, transcript)?;
    if gpus.count() == 0 {
        return Ok(());
    }
    match question.policy.map(|policy| (policy, &policy.gpu)) {
        Some((policy, Some(wanted))) => gpus.verify(wanted, Some(&policy.simulation), transcript),
        _ => gpus.verify(&question.waivers.gpu_policy(), None, transcript),
    }
    .map(drop)
}
