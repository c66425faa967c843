//! The walk from bytes to trust. Constructors are private: there is no other way to the next stage.

use crate::{
    Rejection,
    binding::Session,
    bundle::{Endorsements, Evidence},
    claims::Claims,
    policy::Policy,
    roots::Roots,
    utc::Time,
    verdict::Transcript,
};

/// What a verifier brings besides what the evidence carries: the same vendor-signed objects.
pub type Collateral = Endorsements;

/// Evidence as it came.
#[derive(Debug, Clone)]
pub struct Unverified(#[allow(dead_code)] Evidence);

/// Evidence that genuine (or named simulated) hardware signed.
#[derive(Debug, Clone)]
pub struct Authentic(());

/// Authentic evidence about this conversation and this key.
#[derive(Debug, Clone)]
pub struct Bound(());

/// A peer whose CPU, image and key were all checked. There is no other way to make one, and only it yields the TLS key.
#[derive(Debug, Clone)]
pub struct Trusted(());

impl Unverified {
    /// Takes evidence in.
    pub fn new(evidence: Evidence) -> Self {
        Self(evidence)
    }

    /// Is it genuine? Signatures, chains to `roots`, revocation and validity at `now`, and the report's own consistency.
    pub fn authenticate(
        self,
        _roots: &Roots,
        _collateral: &Collateral,
        _now: Time,
    ) -> Result<Authentic, Rejection> {
        unimplemented!()
    }
}

impl Authentic {
    /// Is it about this conversation and this key? `spki` is the DER SubjectPublicKeyInfo of the peer's TLS key.
    pub fn bind(self, _session: &Session, _spki: &[u8]) -> Result<Bound, Rejection> {
        unimplemented!()
    }

    /// What was checked so far.
    pub fn transcript(&self) -> &Transcript {
        unimplemented!()
    }
}

impl Bound {
    /// Is it what the policy wants?
    pub fn appraise(self, _policy: &Policy) -> Result<Trusted, Rejection> {
        unimplemented!()
    }
}

impl Trusted {
    /// DER SubjectPublicKeyInfo of the peer's TLS key.
    pub fn tls_key(&self) -> &[u8] {
        unimplemented!()
    }

    /// The peer's claims.
    pub fn claims(&self) -> &Claims {
        unimplemented!()
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        unimplemented!()
    }

    /// When the first certificate, CRL or policy limit that this rests on ends.
    pub fn until(&self) -> Time {
        unimplemented!()
    }

    /// Whether the hardware is simulated. Every output must then say so.
    pub fn simulated(&self) -> bool {
        unimplemented!()
    }
}
