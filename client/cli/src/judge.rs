//! Who judges: a relying party with a policy, or, without one, the vendor's signatures alone.

use std::{path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use chrysalis_attestation::{
    Collateral, Genuine, Time, Trusted, Verdict, policy::Policy, verdict::Check,
};
use chrysalis_client::{Bring, Error, RelyingParty, SavedSession, genuine, system_time};

use crate::{arguments::Judging, collateral, files};

/// What evidence is held against.
pub(crate) enum Judge {
    /// A policy.
    Policy(Box<RelyingParty>),
    /// The vendors' roots only: nobody said what is wanted.
    Vendor { bring: Bring, now: Time },
}

/// What was found, where nothing was refused.
pub(crate) enum Found {
    /// It is what the policy wants.
    Trusted(Box<Trusted>),
    /// It is real, and nobody said whether it is wanted.
    Genuine(Box<Genuine>),
}

impl Found {
    /// As people and programs are told.
    pub(crate) fn verdict(&self) -> Verdict<'_> {
        match self {
            Self::Trusted(trusted) => Verdict::trusted(trusted),
            Self::Genuine(genuine) => Verdict::genuine(genuine),
        }
    }

    /// Every check.
    pub(crate) fn checks(&self) -> &[Check] {
        match self {
            Self::Trusted(trusted) => trusted.transcript().checks(),
            Self::Genuine(genuine) => genuine.peer().transcript().checks(),
        }
    }
}

impl Judge {
    /// Reads the policy, if there is one, and the collateral.
    pub(crate) fn new(policy: Option<&Path>, judging: &Judging) -> anyhow::Result<Self> {
        match policy {
            Some(path) => relying_party(path, judging).map(|party| Self::Policy(Box::new(party))),
            None => Ok(Self::Vendor {
                bring: bring(judging)?,
                now: judging.at.unwrap_or_else(system_time),
            }),
        }
    }

    /// The moment at which it judges.
    pub(crate) fn now(&self) -> Time {
        match self {
            Self::Policy(party) => party.now(),
            Self::Vendor { now, .. } => *now,
        }
    }

    /// Judges a conversation.
    pub(crate) fn session(&self, saved: &SavedSession) -> Result<Found, Error> {
        match self {
            Self::Policy(party) => party.verify_session(saved).map(trusted),
            Self::Vendor { bring, now } => genuine::session(saved, bring, *now)
                .map(Box::new)
                .map(Found::Genuine),
        }
    }

    /// Judges a certificate with evidence in it.
    pub(crate) fn certificate(&self, der: &[u8]) -> Result<Found, Error> {
        match self {
            Self::Policy(party) => party.verify_certificate(der).map(trusted),
            Self::Vendor { bring, now } => genuine::certificate(der, bring, *now)
                .map(Box::new)
                .map(Found::Genuine),
        }
    }
}

/// A relying party with the policy in `path`.
pub(crate) fn relying_party(path: &Path, judging: &Judging) -> anyhow::Result<RelyingParty> {
    let text = files::read_policy(path).context(
        "no policy; `chrysalis policy init --image DIR --vcpus N --configuration FILE` prints one",
    )?;
    let policy = Policy::parse(&text)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("the policy {} cannot be used", path.display()))?;
    let party = RelyingParty::new(policy).bringing(bring(judging)?);
    Ok(match judging.at {
        Some(moment) => party.with_clock(Arc::new(move || moment)),
        None => party,
    })
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
