//! The whole walk at once: to a verdict or, with patience, to everything that is wrong.

use super::{
    appraise::Subject,
    cpu::{self, Cpu},
    gpus,
    stages::{Genuine, Peer, Trusted, Unverified, about, event_log, readable, statements},
    told::Told,
    unbound::{Unbound, unbound},
};
use crate::{
    Time,
    evidence::{Collateral, Evidence, KeyAgreement, binding::Session, claims::Claims},
    nvidia::Devices,
    policy::{Policy, Waivers},
    roots::Roots,
    transcript::{Failed, Inspection, Patience, Refusal, Transcript},
};

/// What evidence is verified against.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whose chains count.
    pub roots: &'a Roots,
    /// The verifier's own collateral.
    pub collateral: &'a Collateral,
    /// The time.
    pub now: Time,
    /// The conversation and the DER `SubjectPublicKeyInfo` of the peer's TLS key. Without them no policy is ever satisfied.
    pub conversation: Option<(&'a Session, &'a [u8])>,
    /// How the conversation's keys were agreed, as the relying party saw on its own connection; `None` if it saw none.
    pub agreement: Option<KeyAgreement>,
    /// What is wanted; without it, whether the hardware is genuine and its memory private.
    pub policy: Option<&'a Policy>,
    /// Which inputs may be missing. A policy has its own fields for this: [`Waivers::applied_to`].
    pub waivers: &'a Waivers,
}

/// What the walk leads to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Found {
    /// The peer of the conversation is what the policy wants.
    Trusted(Box<Trusted>),
    /// The peer of the conversation is genuine. There was no policy.
    Genuine(Box<Genuine>),
    /// The hardware is genuine. The conversation is unknown.
    Unbound(Box<Unbound>),
}

impl Found {
    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        match self {
            Self::Trusted(trusted) => trusted.transcript(),
            Self::Genuine(genuine) => genuine.peer().transcript(),
            Self::Unbound(unbound) => unbound.transcript(),
        }
    }
}

impl Unverified {
    /// Walks the whole way, to the first check that fails.
    pub fn verify(self, question: &Question<'_>) -> Result<Found, Refusal> {
        conduct(self, question, Patience::First)
    }

    /// The same walk through every check that can be made: a refusal then lists everything that is wrong.
    pub fn explain(self, question: &Question<'_>) -> Result<Found, Refusal> {
        conduct(self, question, Patience::All)
    }
}

/// Why nothing more is said about a CPU.
const UNREADABLE: &str = "too little of the evidence can be read";
/// Why nothing is said about a conversation.
const UNKNOWN: &str = "it is not known which conversation it is about";

fn conduct(
    unverified: Unverified,
    question: &Question<'_>,
    patience: Patience,
) -> Result<Found, Refusal> {
    let mut inspection = Inspection::new(patience);
    let walked = walk(unverified, question, &mut inspection);
    let ((cpu, claims, (devices, until)), transcript) = inspection.finish(walked)?;
    let until = cpu.until().min(until);
    let told = Told::of(&cpu, question.policy);
    let Some((session, tls_key)) = question.conversation else {
        return Ok(Found::Unbound(Box::new(Unbound {
            cpu,
            devices,
            transcript,
            until,
            told,
        })));
    };
    let peer = Peer {
        cpu,
        claims,
        devices,
        session: session.clone(),
        agreement: question.agreement,
        transcript,
        as_of: question.now,
        until,
        told,
    };
    Ok(match question.policy {
        Some(_) => Found::Trusted(Box::new(Trusted {
            peer,
            tls_key: tls_key.to_vec(),
        })),
        None => Found::Genuine(Box::new(Genuine(peer))),
    })
}

/// The stages, one after the other. With patience, each continues with what the previous one could read.
fn walk(
    Unverified { evidence, memory }: Unverified,
    question: &Question<'_>,
    inspection: &mut Inspection,
) -> Result<(Cpu, Claims, (Devices, Time)), Failed> {
    let Question {
        roots,
        collateral,
        now,
        conversation,
        agreement,
        policy,
        waivers,
    } = *question;
    let Evidence {
        cpu: report,
        claims: encoded,
        gpus,
        path,
        endorsements,
    } = evidence;
    let sources = (collateral, &endorsements);
    let cpu = cpu::authenticate(&report, sources, roots, (now, &memory), inspection);
    let statements = statements(sources);
    let sources = (collateral, endorsements);
    let gpus = gpus::Unproved::new(gpus, &roots.nvidia, sources, now, &memory);
    let claims = readable(&encoded, inspection);
    let (mut cpu, claims) = match (cpu, claims) {
        (Ok(cpu), Ok(claims)) => (cpu, claims),
        (Err(failed), _) | (_, Err(failed)) => {
            gpus_alone(gpus, question, inspection);
            return Err(failed);
        }
    };
    let gpus = if let Some((session, spki)) = conversation {
        let asked = (session, path.as_ref(), spki);
        about((&cpu, &encoded, &claims), gpus, asked, inspection)
    } else {
        // No policy can waive the conversation.
        let waivers = policy.is_none().then_some(waivers);
        let why = unbound(waivers, inspection).unwrap_or(UNKNOWN);
        gpus.unbound(why, inspection)
    };
    let event_log = event_log(report);
    let subject = Subject {
        cpu: &mut cpu,
        event_log: Some(event_log.as_slice()).filter(|log| !log.is_empty()),
        claims: &claims,
        gpus: &gpus,
        statements: &statements,
        now,
        session: conversation.map(|(session, _)| session),
        agreement,
    };
    let concluded = subject.conclude(policy, waivers, inspection)?;
    Ok((cpu, claims, concluded))
}

/// What can be said where too little of the rest can be read.
fn gpus_alone(gpus: gpus::Unproved, question: &Question<'_>, inspection: &mut Inspection) {
    inspection.skip(("bind-2", "binding"), UNREADABLE);
    inspection.skip(("policy-1", "platform"), UNREADABLE);
    let gpus = gpus.unbound(UNREADABLE, inspection);
    if gpus.count() == 0 {
        return;
    }
    let verified = match question.policy.map(|policy| (policy, &policy.gpu)) {
        Some((policy, Some(wanted))) => gpus.verify(wanted, Some(&policy.simulation), inspection),
        _ => gpus.verify(&question.waivers.gpu_policy(), None, inspection),
    };
    drop(verified);
}
