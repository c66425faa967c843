//! Who asks: what a relying party brings to every verification, and the one walk from bytes to trust.

use std::{fmt, sync::Arc, time::SystemTime};

use chrysalis_attestation::{
    Collateral, Time, Trusted, Unverified, binding::Session, bundle::Evidence, policy::Policy,
};

use crate::{Deadlines, Error, SavedSession};

/// A relying party: its policy, the vendor-signed objects it brings itself, its clock and its patience.
#[derive(Clone)]
pub struct RelyingParty {
    policy: Policy,
    bring: Bring,
    clock: Clock,
    deadlines: Deadlines,
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Finds what bears on this evidence, which nobody has verified yet. What is not there is left out.
pub type Bring = Arc<dyn Fn(&Evidence) -> Collateral + Send + Sync>;

impl RelyingParty {
    /// A relying party that wants `policy`, brings no collateral and goes by this machine's clock.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            bring: Arc::new(|_| Collateral::default()),
            clock: Arc::new(system_time),
            deadlines: Deadlines::default(),
        }
    }

    /// Brings certificates and revocation lists, where the evidence carries none or older ones.
    #[must_use]
    pub fn with_collateral(self, collateral: Collateral) -> Self {
        self.bringing(Arc::new(move |_| collateral.clone()))
    }

    /// Brings what it finds for each piece of evidence, such as from a folder that knows many machines.
    #[must_use]
    pub fn bringing(mut self, bring: Bring) -> Self {
        self.bring = bring;
        self
    }

    /// Goes by another clock: that of a test, or a fixed moment.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Waits longer or shorter.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Verifies a saved conversation: everything but the handshake, which happened then.
    pub fn verify_session(&self, saved: &SavedSession) -> Result<Trusted, Error> {
        let evidence = Evidence::decode(saved.bundle())?;
        self.walk(evidence, &saved.session(), saved.spki())
    }

    /// Verifies the evidence in a certificate, made at boot: it says nothing of freshness.
    pub fn verify_certificate(&self, der: &[u8]) -> Result<Trusted, Error> {
        let (evidence, spki) = Evidence::from_certificate(der)?;
        self.walk(evidence, &Session::Boot, &spki)
    }

    /// The moment, by its clock.
    pub fn now(&self) -> Time {
        (self.clock)()
    }

    pub(crate) fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    fn walk(&self, evidence: Evidence, session: &Session, spki: &[u8]) -> Result<Trusted, Error> {
        let collateral = (self.bring)(&evidence);
        let trusted = Unverified::new(evidence)
            .authenticate(&self.policy.roots(), &collateral, self.now())?
            .bind(session, spki)?
            .appraise(&self.policy)?;
        // `bind` has checked this. It is the one fact all else stands on, so it is checked again where it is used.
        if trusted.tls_key() != spki {
            return Err(Error::KeyChanged);
        }
        Ok(trusted)
    }
}

impl fmt::Debug for RelyingParty {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("RelyingParty")
            .field("policy", &self.policy)
            .field("deadlines", &self.deadlines)
            .finish_non_exhaustive()
    }
}

/// This machine's clock.
pub fn system_time() -> Time {
    let seconds = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        // Before 1970: no certificate is valid yet, so nothing is trusted.
        Err(_) => i64::MIN,
    };
    Time(seconds)
}
