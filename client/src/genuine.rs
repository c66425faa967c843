//! Without a policy: is the evidence from real hardware whose memory is private, and about this conversation? Nothing says what is
//! wanted, so the answer is never trust, and it never yields a connection.

use chrysalis_attestation::{
    Authentic, Genuine, Time, Unbound, Unverified, Waivers, binding::Session, bundle::Evidence,
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

/// Whether the evidence in a certificate comes from genuine hardware.
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

/// Whether evidence comes from genuine hardware if the conversation is unknown. Refused unless the waivers say why.
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
