//! Evidence whose conversation nobody knows: its hardware may be genuine, and nothing says who talks through it.

use super::Authentic;
use crate::{
    Cpu, Rejection, Time,
    appraise::{self, Waivers},
    claims::Claims,
    nvidia::{Devices, Gpu},
    verdict::{Refusal, Told, Transcript},
};

/// Genuine hardware with private memory, and nothing else: neither a key, nor a conversation, nor the enclave's claims belong
/// to it, and its GPUs may be another machine's. No key comes of it, and no policy is met by it.
#[derive(Debug, Clone)]
pub struct Unbound {
    pub(crate) cpu: Cpu,
    pub(crate) devices: Devices,
    pub(crate) transcript: Transcript,
    until: Time,
    pub(crate) told: Told,
}

impl Authentic {
    /// Without conversation, key and policy: is all of its hardware genuine and current, and its memory private?
    ///
    /// Refused unless [`Waivers::session`] gives a reason.
    pub fn without_conversation(self, waivers: &Waivers) -> Result<Unbound, Refusal> {
        let Self {
            mut cpu,
            event_log,
            claims,
            gpus,
            mut transcript,
            ..
        } = self;
        let event_log = Some(event_log.as_slice()).filter(|log| !log.is_empty());
        let found = readable(&claims, &mut transcript)
            .and_then(|()| unbound(waivers, &mut transcript))
            .and_then(|why| gpus.unbound(why, &mut transcript))
            .and_then(|gpus| {
                let of_the_cpu = (&mut cpu, event_log);
                appraise::without_policy(of_the_cpu, &gpus, waivers, &mut transcript)
            })
            .and_then(known);
        match found {
            Ok(devices) => Ok(Unbound {
                until: cpu.until().min(devices.until),
                told: Told::of(&cpu, None),
                cpu,
                devices,
                transcript,
            }),
            Err(rejection) => Err(Refusal {
                rejection,
                transcript,
            }),
        }
    }
}

/// Nothing is put off on this way; this keeps it a refusal if that should ever change.
fn known(devices: Option<Devices>) -> Result<Devices, Rejection> {
    devices.ok_or(Rejection::GpuEvidenceMissing)
}

/// Step bind-1. What the claims say is then dropped: nobody knows who says it.
fn readable(claims: &[u8], transcript: &mut Transcript) -> Result<(), Rejection> {
    let claims = Claims::decode(claims);
    transcript
        .record("bind-1", "claims", claims, |claims| claims.profile.clone())
        .map(drop)
}

/// Why bind-2 and bind-3 are left out, if there is a reason.
pub(super) fn unbound<'w>(
    waivers: &'w Waivers,
    transcript: &mut Transcript,
) -> Result<&'w str, Rejection> {
    let Some(why) = waivers.session.as_deref() else {
        let missing = Err(Rejection::ConversationMissing);
        return transcript.record("bind-2", "binding", missing, |_| String::new());
    };
    transcript.not_checked("bind-2", "binding", why);
    transcript.not_checked("bind-3", "claimed configuration", why);
    Ok(why)
}

impl Unbound {
    /// The CPU.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The GPUs, each of them genuine; whether they are this machine's nobody knows.
    pub fn gpus(&self) -> &[Gpu] {
        &self.devices.gpus
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// When the first certificate, list, document or answer that this rests on ends.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Whether any of the hardware is simulated. Every output must then say so.
    pub fn simulated(&self) -> bool {
        self.transcript.simulated() || self.cpu.simulated()
    }
}
