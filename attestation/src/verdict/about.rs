//! What a verdict other than a refusal is about.

use crate::{
    Peer, Time, Unbound,
    appraisal::{alone::Verified, platform::Platform, told::Told},
    azure::vtpm,
    evidence::{KeyAgreement, binding::Session, claims::Claims},
    nvidia::Devices,
    snp, tdx,
};

/// What was found, for any kind of evidence.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// `None` for GPUs by themselves.
    pub(super) cpu: Option<&'a dyn Platform>,
    /// `None` for a report or quote by itself, which does not report them.
    pub(super) devices: Option<&'a Devices>,
    /// How firmware and image are described; `None` where there is no CPU.
    pub(super) told: Option<&'a Told>,
    pub(super) vtpm: Option<&'a vtpm::Told>,
    pub(super) bound: Bound<'a>,
}

/// What the evidence is an answer to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound<'a> {
    /// A conversation, with the enclave's own claims as of a moment, and how its keys were agreed.
    Conversation(&'a Session, &'a Claims, Time, Option<KeyAgreement>),
    /// What the relying party asked for.
    Asked,
    /// Unknown.
    Nothing,
}

impl<'a> About<'a> {
    pub(super) fn peer(peer: &'a Peer) -> Self {
        Self {
            cpu: Some(peer.cpu.platform()),
            devices: Some(&peer.devices),
            told: Some(&peer.told),
            vtpm: None,
            bound: Bound::Conversation(&peer.session, &peer.claims, peer.as_of, peer.agreement),
        }
    }

    pub(super) fn unbound(unbound: &'a Unbound) -> Self {
        Self {
            cpu: Some(unbound.cpu.platform()),
            devices: Some(&unbound.devices),
            told: Some(&unbound.told),
            vtpm: None,
            bound: Bound::Nothing,
        }
    }

    fn alone<T>(
        verified: &'a Verified<T>,
        cpu: Option<&'a dyn Platform>,
        devices: Option<&'a Devices>,
    ) -> Self {
        Self {
            cpu,
            devices,
            told: verified.told.as_ref(),
            vtpm: verified.vtpm(),
            bound: if verified.asked {
                Bound::Asked
            } else {
                Bound::Nothing
            },
        }
    }
}

impl<'a> From<&'a Verified<snp::Genuine>> for About<'a> {
    fn from(verified: &'a Verified<snp::Genuine>) -> Self {
        Self::alone(verified, Some(verified.found()), None)
    }
}

impl<'a> From<&'a Verified<tdx::Genuine>> for About<'a> {
    fn from(verified: &'a Verified<tdx::Genuine>) -> Self {
        Self::alone(verified, Some(verified.found()), None)
    }
}

impl<'a> From<&'a Verified<Devices>> for About<'a> {
    fn from(verified: &'a Verified<Devices>) -> Self {
        Self::alone(verified, None, Some(verified.found()))
    }
}
