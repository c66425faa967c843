//! Without a policy: is the evidence of real hardware whose memory is private, and about this conversation? Nobody said what
//! is wanted, so the answer is never trust, and no connection comes of it.

use chrysalis_attestation::{
    Genuine, Time, Unverified, binding::Session, bundle::Evidence, roots::Roots,
};

use crate::{Bring, Error, SavedSession};

/// Whether a saved conversation was with genuine hardware.
pub fn session(saved: &SavedSession, bring: &Bring, now: Time) -> Result<Genuine, Error> {
    let evidence = Evidence::decode(saved.bundle())?;
    walk(evidence, &saved.session(), saved.spki(), bring, now)
}

/// Whether the evidence in a certificate is of genuine hardware.
pub fn certificate(der: &[u8], bring: &Bring, now: Time) -> Result<Genuine, Error> {
    let (evidence, spki) = Evidence::from_certificate(der)?;
    walk(evidence, &Session::Boot, &spki, bring, now)
}

fn walk(
    evidence: Evidence,
    session: &Session,
    spki: &[u8],
    bring: &Bring,
    now: Time,
) -> Result<Genuine, Error> {
    let collateral = bring(&evidence);
    Ok(Unverified::new(evidence)
        .authenticate(&Roots::vendors(), &collateral, now)?
        .bind(session, spki)?
        .without_policy()?)
}
