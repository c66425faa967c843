//! Who judges: a relying party with a policy, or, without one, the vendor's signatures alone.

use std::{path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use chrysalis_attestation::{
    Collateral, Explained, Genuine, Question, Refusal, Rejection, Time, Trusted, Unbound,
    Unverified, Verdict, Waivers,
    evidence::{Evidence, binding::Session},
    policy::Policy,
    roots::Roots,
    transcript::Check,
};
use chrysalis_client::{Ask, Bring, Error, RelyingParty, SavedSession, genuine, system_time};

use crate::{collateral, files, options::Judging};

/// What evidence is checked against.
pub(crate) struct Judge {
    /// `None`: the vendors' roots only, for nothing says what is wanted.
    policy: Option<Policy>,
    bring: Bring,
    ask: Ask,
    /// A fixed moment; `None`: now, whenever that is.
    at: Option<Time>,
    waivers: Waivers,
}

/// What was found out.
pub(crate) enum Found {
    /// It is what the policy wants.
    Trusted(Box<Trusted>),
    /// It is real; nothing says whether it is wanted.
    Genuine(Box<Genuine>),
    /// Its hardware is real; nothing says whom it talked to.
    Unbound(Box<Unbound>),
    /// It is refused, for all of these reasons.
    Explained(Box<Explained>),
}

impl Found {
    /// As people and programs are told.
    pub(crate) fn verdict(&self) -> Verdict<'_> {
        match self {
            Self::Trusted(trusted) => Verdict::trusted(trusted),
            Self::Genuine(genuine) => Verdict::genuine(genuine),
            Self::Unbound(unbound) => Verdict::unbound(unbound),
            Self::Explained(explained) => Verdict::explained(explained),
        }
    }

    /// Every check.
    pub(crate) fn checks(&self) -> &[Check] {
        match self {
            Self::Trusted(trusted) => trusted.transcript().checks(),
            Self::Genuine(genuine) => genuine.peer().transcript().checks(),
            Self::Unbound(unbound) => unbound.transcript().checks(),
            Self::Explained(explained) => explained.transcript().checks(),
        }
    }
}

impl Judge {
    /// Reads the policy, if there is one, and the collateral.
    pub(crate) fn new(
        policy: Option<&Path>,
        judging: &Judging,
        waivers: Waivers,
    ) -> anyhow::Result<Self> {
        let policy = policy.map(read_policy).transpose()?;
        Ok(Self {
            policy: policy.map(|policy| waivers.applied_to(policy)),
            bring: bring(judging)?,
            ask: collateral::asking(&judging.asking),
            at: judging.at,
            waivers,
        })
    }

    /// The moment at which it judges.
    pub(crate) fn now(&self) -> Time {
        self.at.unwrap_or_else(system_time)
    }

    /// Whether somebody said what is wanted.
    pub(crate) fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// Judges a conversation.
    pub(crate) fn session(&self, saved: &SavedSession) -> Result<Found, Error> {
        match self.relying_party() {
            Some(party) => party.verify_session(saved).map(trusted),
            None => genuine::session(saved, &self.bring, self.now(), &self.waivers)
                .map(Box::new)
                .map(Found::Genuine),
        }
    }

    /// Judges a certificate with evidence in it.
    pub(crate) fn certificate(&self, der: &[u8]) -> Result<Found, Error> {
        match self.relying_party() {
            Some(party) => party.verify_certificate(der).map(trusted),
            None => genuine::certificate(der, &self.bring, self.now(), &self.waivers)
                .map(Box::new)
                .map(Found::Genuine),
        }
    }

    /// Judges evidence of an unknown conversation. It never satisfies a policy, whatever is waived.
    pub(crate) fn bundle(&self, evidence: Evidence) -> Result<Found, Error> {
        if self.policy.is_some() {
            return Err(Refusal::from(Rejection::ConversationMissing).into());
        }
        genuine::bundle(evidence, &self.bring, self.now(), &self.waivers)
            .map(Box::new)
            .map(Found::Unbound)
    }

    /// Makes every check that can be made; `None` if nothing is wrong, and then it is to be judged. An error where NVIDIA has to be
    /// asked, and cannot be.
    pub(crate) fn explain(
        &self,
        evidence: Evidence,
        conversation: Option<(&Session, &[u8])>,
    ) -> Result<Option<Found>, Error> {
        let collateral = match self.relying_party() {
            Some(party) => party.collateral_for(&evidence)?,
            None => (self.bring)(&evidence),
        };
        let roots = self
            .policy
            .as_ref()
            .map_or_else(Roots::vendors, Policy::roots);
        let unbindable = Waivers {
            session: None,
            ..self.waivers.clone()
        };
        let explained = Unverified::new(evidence).explain(&Question {
            roots: &roots,
            collateral: &collateral,
            now: self.now(),
            conversation,
            policy: self.policy.as_ref(),
            waivers: match self.policy {
                Some(_) => &unbindable,
                None => &self.waivers,
            },
        });
        let wrong = !explained.failures().is_empty();
        Ok(wrong.then(|| Found::Explained(Box::new(explained))))
    }

    fn relying_party(&self) -> Option<RelyingParty> {
        let party = RelyingParty::new(self.policy.clone()?);
        let party = party.bringing(Arc::clone(&self.bring));
        Some(at(self.at, party.asking(Arc::clone(&self.ask))))
    }
}

/// A relying party with the policy in `path`.
pub(crate) fn relying_party(path: &Path, judging: &Judging) -> anyhow::Result<RelyingParty> {
    let party = RelyingParty::new(read_policy(path)?).bringing(bring(judging)?);
    let party = party.asking(collateral::asking(&judging.asking));
    Ok(at(judging.at, party))
}

/// Judging at a fixed moment, if there is one.
fn at(moment: Option<Time>, party: RelyingParty) -> RelyingParty {
    match moment {
        Some(moment) => party.with_clock(Arc::new(move || moment)),
        None => party,
    }
}

fn read_policy(path: &Path) -> anyhow::Result<Policy> {
    let text = files::read_policy(path).context(
        "no policy; `chrysalis policy init --release FILE --key FILE --configuration FILE` prints one",
    )?;
    Policy::parse(&text)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("the policy {} cannot be used", path.display()))
}

/// What bears on evidence, and what rebuilders say, whatever the evidence.
fn bring(judging: &Judging) -> anyhow::Result<Bring> {
    let found = collateral::from(judging.collateral.as_deref())?;
    let statements = files::read_statements(&judging.statements)?;
    Ok(Arc::new(move |evidence| Collateral {
        statements: statements.clone(),
        ..found(evidence)
    }))
}

fn trusted(trusted: Trusted) -> Found {
    Found::Trusted(Box::new(trusted))
}
