//! The relying party: what it brings to every verification, and the one walk from bytes to trust.

use std::{fmt, sync::Arc};

use chrysalis_attestation::{
    Collateral, Memory, Time, Trusted, Unverified,
    evidence::{Evidence, KeyAgreement, SavedSession, binding::Session},
    nvidia::{
        needs::{Questioned, to_ask},
        ocsp::OcspAnswer,
        policy::Revocation,
    },
    policy::Policy,
};
use chrysalis_network::SignedListing;
use chrysalis_settle::EpochEvidence;
use tokio::task::spawn_blocking;

use crate::{
    Clock, Deadlines, Dial, Error, Relay, Stopwatch,
    clock::{Moment, system_stopwatch, system_time},
    kept::Kept,
    pay::{Limit, Payer},
    term::Term,
};

/// A relying party: its policy, the vendor-signed objects that it brings itself, its clocks and its deadlines.
#[derive(Clone)]
pub struct RelyingParty {
    policy: Policy,
    bring: Bring,
    ask: Option<Ask>,
    clock: Clock,
    stopwatch: Stopwatch,
    deadlines: Deadlines,
    dial: Dial,
    memory: Memory,
    kept: Kept,
    relay: Option<Relay>,
    payer: Option<Arc<Payer>>,
    /// What the enclave has to be, where it was found in a directory.
    listing: Option<Arc<SignedListing>>,
    limit: Option<Arc<Limit>>,
}

/// Finds collateral for this evidence, which has not been verified yet. What is missing is left out.
pub type Bring = Arc<dyn Fn(&Evidence) -> Collateral + Send + Sync>;

/// Asks NVIDIA's responder about these certificates, each with a nonce of its own, or says why that cannot be done. It may take a
/// while. `chrysalis_collateral::Responder` does this.
pub type Ask = Arc<dyn Fn(&[Questioned]) -> Result<Vec<OcspAnswer>, String> + Send + Sync>;

impl RelyingParty {
    /// A relying party that wants `policy`, brings no collateral and uses this machine's clocks.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            bring: Arc::new(|_| Collateral::default()),
            ask: None,
            clock: Arc::new(system_time),
            stopwatch: Arc::new(system_stopwatch),
            deadlines: Deadlines::default(),
            dial: Dial::default(),
            memory: Memory::none(),
            kept: Kept::default(),
            relay: None,
            payer: None,
            listing: None,
            limit: None,
        }
    }

    /// Remembers what it verified, for as long as it or a clone of it lives: signatures and manifests, which are not verified a second
    /// time, and what the bundles of one address have in common, which is not asked for a second time. No verdict changes:
    /// times, roots, revocation and policy are judged anew for each connection.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        self.memory = Memory::new();
        self.kept = Kept::new();
        self
    }

    /// Brings certificates and revocation lists, for evidence that carries none or older ones.
    #[must_use]
    pub fn with_collateral(self, collateral: Collateral) -> Self {
        self.bringing(Arc::new(move |_| collateral.clone()))
    }

    /// Brings what it finds for each piece of evidence, for example from a folder that covers many machines.
    #[must_use]
    pub fn bringing(mut self, bring: Bring) -> Self {
        self.bring = bring;
        self
    }

    /// Asks NVIDIA if the policy says `revocation = "asked"`. Without this, no evidence with GPUs satisfies such a policy.
    #[must_use]
    pub fn asking(mut self, ask: Ask) -> Self {
        self.ask = Some(ask);
        self
    }

    /// Uses another clock: that of a test, or a fixed moment.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Uses another stopwatch, by which trust ends even if the clock is set back.
    #[must_use]
    pub fn with_stopwatch(mut self, stopwatch: Stopwatch) -> Self {
        self.stopwatch = stopwatch;
        self
    }

    /// Sets how long to wait for the peer.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Opens connections so: to enclaves and to relays.
    #[must_use]
    pub fn dialing(mut self, dial: Dial) -> Self {
        self.dial = dial;
        self
    }

    /// Sends requests through this relay. The enclave itself is asked for its evidence and its keys, and for nothing else.
    #[must_use]
    pub fn through(mut self, relay: Relay) -> Self {
        self.relay = Some(relay);
        self
    }

    /// Pays for answers. Not through a relay: a receipt belongs to a connection.
    #[must_use]
    pub fn paying(mut self, payer: Arc<Payer>) -> Self {
        self.payer = Some(payer);
        self
    }

    /// Wants the enclave that this listing is about, and no other; where somebody pays or will, its model at this price at most.
    #[must_use]
    pub(crate) fn listed(mut self, listing: Arc<SignedListing>, limit: Option<Arc<Limit>>) -> Self {
        self.listing = Some(listing);
        self.limit = limit;
        self
    }

    pub(crate) fn listing(&self) -> Option<&SignedListing> {
        self.listing.as_deref()
    }

    pub(crate) fn limit(&self) -> Option<&Arc<Limit>> {
        self.limit.as_ref()
    }

    pub(crate) fn dial(&self) -> &Dial {
        &self.dial
    }

    pub(crate) fn payer(&self) -> Option<&Arc<Payer>> {
        self.payer.as_ref()
    }

    pub(crate) fn relay(&self) -> Option<&Relay> {
        self.relay.as_ref()
    }

    /// Verifies a saved conversation: everything but the handshake, which happened back then. Blocks if NVIDIA has to be asked.
    pub fn verify_session(&self, saved: &SavedSession) -> Result<Trusted, Error> {
        self.conversation(saved).map(|(trusted, _)| trusted)
    }

    /// Verifies the evidence in a certificate, which was made at boot and says nothing about freshness. Blocks if NVIDIA has to be asked.
    pub fn verify_certificate(&self, der: &[u8]) -> Result<Trusted, Error> {
        let (evidence, spki) = Evidence::from_certificate(der)?;
        let (trusted, _) = self.walk(evidence, (&Session::Boot, None), &spki)?;
        Ok(trusted)
    }

    /// Verifies the evidence of an epoch that was kept beside receipts. Like that in a certificate, it says nothing about freshness: a
    /// receipt is about the past, so the policy must accept that. Blocks if NVIDIA has to be asked.
    pub fn verify_epoch(&self, epoch: &EpochEvidence) -> Result<Trusted, Error> {
        let evidence = Evidence::decode(&epoch.bundle)?;
        let (trusted, _) = self.walk(evidence, (&Session::Boot, None), &epoch.spki)?;
        Ok(trusted)
    }

    /// Verifies an enclave that asks, over this connection, for something of ours: `spki` is the key that it says ends TLS for its own
    /// clients. Blocks if NVIDIA has to be asked.
    pub(crate) fn verify_asker(
        &self,
        bundle: &[u8],
        session: &Session,
        agreement: Option<KeyAgreement>,
        spki: &[u8],
    ) -> Result<Trusted, Error> {
        let evidence = Evidence::decode(bundle)?;
        let (trusted, _) = self.walk(evidence, (session, agreement), spki)?;
        Ok(trusted)
    }

    /// Everything it brings for this evidence: what it has and, if the policy wants that, what NVIDIA answers now. Asking blocks.
    pub fn collateral_for(&self, evidence: &Evidence) -> Result<Collateral, Error> {
        let mut collateral = (self.bring)(evidence);
        let Some(ask) = self.ask.as_ref().filter(|_| self.wants_asking()) else {
            return Ok(collateral);
        };
        // As a verifier will: its own manifests if it has any.
        let rims = match &collateral.rims[..] {
            [] => &evidence.endorsements.rims,
            own => own,
        };
        let roots = self.policy.roots().nvidia;
        let about = to_ask(&evidence.gpus, rims, &roots, self.now());
        let answers = match &about[..] {
            [] => Vec::new(),
            about => ask(about).map_err(|why| Error::Unasked { why })?,
        };
        // Replaces what it has: nothing is newer.
        if !answers.is_empty() {
            collateral.ocsp = answers;
        }
        Ok(collateral)
    }

    /// The current time, by its clock.
    pub fn now(&self) -> Time {
        (self.clock)()
    }

    /// What it has of the bundles that it verified.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Keeps what a verified bundle has in common with the next from this address.
    pub(crate) fn keep(&self, authority: &str, verified: &SavedSession) {
        if let Ok(evidence) = Evidence::decode(verified.bundle()) {
            self.kept.keep(authority, &evidence);
        }
    }

    pub(crate) fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// Like [`Self::verify_session`], and also says for how long the verdict holds. Asking NVIDIA takes seconds, so it runs on another
    /// thread and blocks nothing here.
    pub(crate) async fn verify_connection(
        &self,
        saved: &SavedSession,
    ) -> Result<(Trusted, Term), Error> {
        if self.ask.is_none() || !self.wants_asking() {
            return self.conversation(saved);
        }
        let (party, saved) = (self.clone(), saved.clone());
        let verifying = spawn_blocking(move || party.conversation(&saved));
        let limit = self.deadlines.revocation;
        match tokio::time::timeout(limit, verifying).await {
            Ok(Ok(verified)) => verified,
            Ok(Err(error)) => Err(Error::Local(error.to_string())),
            Err(_) => Err(Error::Unasked {
                why: format!("no answer within {} s", limit.as_secs_f32()),
            }),
        }
    }

    fn conversation(&self, saved: &SavedSession) -> Result<(Trusted, Term), Error> {
        let evidence = Evidence::decode(saved.bundle())?;
        self.walk(
            evidence,
            (&saved.session(), saved.agreement()),
            saved.spki(),
        )
    }

    fn wants_asking(&self) -> bool {
        let gpu = self.policy.gpu.as_ref();
        gpu.is_some_and(|gpu| gpu.proof.revocation == Revocation::Asked)
    }

    fn walk(
        &self,
        evidence: Evidence,
        (session, agreement): (&Session, Option<KeyAgreement>),
        spki: &[u8],
    ) -> Result<(Trusted, Term), Error> {
        let collateral = self.collateral_for(&evidence)?;
        // The clocks are read after the asking, which takes a while; the stopwatch first, so that what passes between the two
        // readings shortens the term.
        let elapsed = (self.stopwatch)();
        let moment = Moment {
            elapsed,
            now: self.now(),
        };
        let trusted = Unverified::new(evidence)
            .remembered_by(&self.memory)
            .authenticate(&self.policy.roots(), &collateral, moment.now)?
            .bind(session, spki)?
            .agreed(agreement)
            .appraise(&self.policy)?;
        // `bind` has checked this. It is the one fact all else stands on, so it is checked again where it is used.
        if trusted.tls_key() != spki {
            return Err(Error::KeyChanged);
        }
        let (clock, stopwatch) = (Arc::clone(&self.clock), Arc::clone(&self.stopwatch));
        let term = Term::new(clock, stopwatch, moment, trusted.until());
        Ok((trusted, term))
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
