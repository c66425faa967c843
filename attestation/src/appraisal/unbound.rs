//! Evidence without a known conversation: its hardware may be genuine, but nothing shows who is talking through it.

use super::{
    appraise,
    cpu::Cpu,
    stages::{Authentic, readable},
    told::Told,
};
use crate::{
    Rejection, Time,
    nvidia::{Devices, Gpu},
    policy::Waivers,
    transcript::{Failed, Inspection, Patience, Refusal, Transcript},
};

/// Genuine hardware with private memory, and no more than that: neither a key, nor a conversation, nor the enclave's claims belong
/// to it, and its GPUs may be another machine's. It yields no key and satisfies no policy.
#[derive(Debug, Clone)]
pub struct Unbound {
    pub(crate) cpu: Cpu,
    pub(crate) devices: Devices,
    pub(crate) transcript: Transcript,
    pub(super) until: Time,
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
            transcript,
            ..
        } = self;
        let mut inspection = Inspection::resume(transcript, Patience::First);
        let event_log = Some(event_log.as_slice()).filter(|log| !log.is_empty());
        // The content of the claims is then dropped: their author is unknown.
        let devices = readable(&claims, &mut inspection)
            .and_then(|_| unbound(Some(waivers), &mut inspection))
            .and_then(|why| {
                let gpus = gpus.unbound(why, &mut inspection);
                let of_the_cpu = (&mut cpu, event_log);
                appraise::without_policy(of_the_cpu, &gpus, waivers, &mut inspection)
            });
        let (devices, transcript) = inspection.finish(devices)?;
        Ok(Unbound {
            until: cpu.until().min(devices.until),
            told: Told::of(&cpu, None),
            cpu,
            devices,
            transcript,
        })
    }
}

/// Why bind-2 and bind-3 are skipped, if a reason is given.
pub(super) fn unbound<'w>(
    waivers: Option<&'w Waivers>,
    inspection: &mut Inspection,
) -> Result<&'w str, Failed> {
    const CHECK: (&str, &str) = ("bind-2", "binding");
    match waivers.and_then(|waivers| waivers.session.as_deref()) {
        Some(why) => {
            inspection.skip(CHECK, why);
            inspection.skip(("bind-3", "claimed configuration"), why);
            Ok(why)
        }
        None => Err(inspection.fail(CHECK, Rejection::ConversationMissing)),
    }
}

impl Unbound {
    /// The CPU.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The GPUs, each of them genuine; whether they belong to this machine is unknown.
    pub fn gpus(&self) -> &[Gpu] {
        &self.devices.gpus
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// When the first certificate, list, document or answer that this rests on expires.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Whether any of the hardware is simulated. Every output must then say so.
    pub fn simulated(&self) -> bool {
        self.transcript.simulated() || self.cpu.simulated()
    }
}
