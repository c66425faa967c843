//! Without a policy: is the evidence of real hardware whose memory is private, and about this conversation? Nobody said what
//! is wanted, so the answer is never trust, and no connection comes of it.

use chrysalis_attestation::{
    Authentic, Genuine, Time, Unbound, Unverified, Waivers,
    evidence::{Evidence, binding::Session},
    roots::Roots,
};

use crate::{Bring, Error, SavedSession};

/// Whether a saved conversation was with genuine hardware.
pub fn session(
    saved: &SavedSession,
    bring: &Bring,
    now: Time,
    waivers: &Waivers,
) -> Result<Genuine, Error> {
    let authentic = authentic(Evidence::decode(saved.bundle())?, bring, now)?;
    let bound = authentic.bind(&saved.session(), saved.spki())?;
    Ok(bound.without_policy(waivers)?)
}

/// Whether the evidence in a certificate is of genuine hardware.
pub fn certificate(
    der: &[u8],
    bring: &Bring,
    now: Time,
    waivers: &Waivers,
) -> Result<Genuine, Error> {
    let (evidence, spki) = Evidence::from_certificate(der)?;
    let bound = authentic(evidence, bring, now)?.bind(&Session::Boot, &spki)?;
    Ok(bound.without_policy(waivers)?)
}

/// Whether evidence is of genuine hardware, where nobody knows the conversation: refused unless the waivers say why.
pub fn bundle(
    evidence: Evidence,
    bring: &Bring,
    now: Time,
    waivers: &Waivers,
) -> Result<Unbound, Error> {
    Ok(authentic(evidence, bring, now)?.without_conversation(waivers)?)
}

fn authentic(evidence: Evidence, bring: &Bring, now: Time) -> Result<Authentic, Error> {
    let collateral = bring(&evidence);
    Ok(Unverified::new(evidence).authenticate(&Roots::vendors(), &collateral, now)?)
}
