//! Who judges: a relying party with a policy, or, without one, the vendor's signatures alone.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use chrysalis_attestation::{
    Collateral, Found, Time, Waivers,
    evidence::{Evidence, KeyAgreement, binding::Session},
    policy::Policy,
};
use chrysalis_client::{Ask, Bring, Error, RelyingParty, system_time};
use chrysalis_verifier::of_the_past;

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

    /// One for evidence that need not be fresh, nor of an epoch that goes on, for this reason.
    pub(crate) fn of_the_past(policy: &Path, judging: &Judging, why: &str) -> anyhow::Result<Self> {
        let waivers = Waivers {
            freshness: Some(why.to_owned()),
            ..Waivers::default()
        };
        let mut judge = Self::new(Some(policy), judging, waivers)?;
        judge.policy = judge.policy.map(|policy| of_the_past(policy, why));
        Ok(judge)
    }

    /// The moment at which it judges.
    pub(crate) fn now(&self) -> Time {
        self.at.unwrap_or_else(system_time)
    }

    /// Whether somebody said what is wanted.
    pub(crate) fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// Judges evidence by itself or of a conversation: to the first failure, or to explain through every check. An error where NVIDIA
    /// has to be asked, and cannot be.
    pub(crate) fn judge(
        &self,
        evidence: Evidence,
        conversation: Option<(&Session, &[u8])>,
        agreement: Option<KeyAgreement>,
        explain: bool,
    ) -> Result<Found, Error> {
        let collateral = match self.relying_party() {
            Some(party) => party.collateral_for(&evidence)?,
            None => (self.bring)(&evidence),
        };
        let judging = chrysalis_verifier::Judging {
            policy: self.policy.as_ref(),
            waivers: &self.waivers,
            collateral: &collateral,
            now: self.now(),
            explain,
        };
        Ok(judging.judge(evidence, conversation, agreement)?)
    }

    fn relying_party(&self) -> Option<RelyingParty> {
        let party = RelyingParty::new(self.policy.clone()?);
        let party = party.bringing(Arc::clone(&self.bring));
        Some(at(self.at, party.asking(Arc::clone(&self.ask))))
    }
}

/// A relying party with the policy in `path`.
pub(crate) fn relying_party(path: &Path, judging: &Judging) -> anyhow::Result<RelyingParty> {
    relying_party_of(read_policy(path)?, judging)
}

/// A relying party with this policy.
pub(crate) fn relying_party_of(policy: Policy, judging: &Judging) -> anyhow::Result<RelyingParty> {
    let party = RelyingParty::new(policy).remembering();
    let party = party.bringing(bring(judging)?);
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
    files::usable(path, Policy::parse(&text))
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
