//! Endorsements: the publisher's short-lived word that a release is still the one to run. A policy that wants one refuses an image
//! whose publisher has fallen silent.
//!
//! All of it comes with the evidence, from whoever staples it: the root statement of the root that the policy names, later ones, the
//! key statement, and the endorsement that one of its release keys signed. Only signatures count. There is no memory and no log
//! here: [`super::Published`] has both, when a policy is made from a release.

use serde::{Deserialize, Serialize};

use super::{
    development::Development,
    dsse::Envelope,
    key::{KeyId, PublicKey},
    keys::{KeyStatement, Keys},
    manifest::{MAX_NUMBER, is_project},
    measurements::{Measured, Measurements},
    rebuild::MAX_STATEMENTS,
    root::Root,
    statement::{Statement, Subject},
};
use crate::{Rejection, Time};

/// The predicate's type.
pub const ENDORSEMENT: &str = "tag:chrysalis,2026:endorsement/1";
/// The most seconds for which an endorsement counts: 14 days.
pub const MAX_ENDORSED: i64 = 14 * DAY;
const DAY: i64 = 86_400;

/// What a publisher says again about a release, from time to time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endorsement {
    /// The project, as in the root statement.
    pub project: String,
    /// The release, for people.
    pub release: String,
    /// The epoch of its manifest.
    pub epoch: u64,
    /// When this was signed.
    pub issued: Time,
    /// From this time on it counts for nothing; at most [`MAX_ENDORSED`] later.
    pub until: Time,
    /// What hardware reports for the image, as in the manifest.
    pub measurements: Measurements,
}

/// Whose endorsement a policy wants, and how old it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endorser {
    /// The root that vouches for the keys that endorse.
    pub root: KeyId,
    /// Whether that may be the development root.
    pub development: Development,
    /// The most seconds since it was signed.
    pub max_age: i64,
}

/// An endorsement that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsed {
    /// The release, for people.
    pub release: String,
    /// When it was signed.
    pub issued: Time,
    /// Until when it counts, and the root, the key statement and the key as well.
    pub until: Time,
}

impl Endorsement {
    /// The unsigned statement about these files.
    pub fn envelope(self, files: Vec<Subject>) -> Envelope {
        let statement = Statement {
            subject: files,
            predicate: self,
        };
        statement.envelope(ENDORSEMENT)
    }

    /// Reads a statement that `key` signed, current or not.
    pub fn verify(statement: &[u8], key: &PublicKey) -> Result<Self, Rejection> {
        Self::signed_in(&Envelope::parse(statement)?, key)
    }

    fn signed_in(envelope: &Envelope, key: &PublicKey) -> Result<Self, Rejection> {
        let payload = envelope.payload_signed_by(key)?;
        let endorsement = Statement::<Self>::parse(payload, ENDORSEMENT)?.predicate;
        endorsement.check_sense()?;
        Ok(endorsement)
    }

    fn check_sense(&self) -> Result<(), Rejection> {
        let what = if !is_project(&self.project) {
            "its project is not a valid name"
        } else if self.epoch > MAX_NUMBER {
            "its epoch is over 2^53 - 1"
        } else if self.until <= self.issued {
            "it ends before it begins"
        } else if self.until.0.saturating_sub(self.issued.0) > MAX_ENDORSED {
            "it counts for more than 14 days"
        } else {
            return Ok(());
        };
        Err(Rejection::StatementMalformed {
            what: what.to_owned(),
        })
    }

    /// Is it current, and no older than this many seconds?
    fn check_current(&self, now: Time, max_age: i64) -> Result<(), Rejection> {
        if now < self.issued {
            return Err(Rejection::EndorsementNotYetValid { from: self.issued });
        }
        if now >= self.until {
            return Err(Rejection::EndorsementExpired { until: self.until });
        }
        if now >= self.ages(max_age) {
            return Err(Rejection::EndorsementTooOld {
                issued: self.issued,
                days: max_age / DAY,
            });
        }
        Ok(())
    }

    /// When it is this many seconds old.
    fn ages(&self, max_age: i64) -> Time {
        Time(self.issued.0.saturating_add(max_age))
    }
}

impl Endorser {
    /// Step policy-17: the newest word of the root's project on what was measured, if it counts.
    ///
    /// The source of the statements is not trusted: one that cannot be read, or that nobody signed who may, does not count.
    pub fn confirm(
        &self,
        statements: &[Vec<u8>],
        measured: &Measured,
        now: Time,
    ) -> Result<Endorsed, Rejection> {
        let statements = statements.get(..MAX_STATEMENTS).unwrap_or(statements);
        let keys = self.keys(statements, now)?;
        let mut found = Err(Rejection::EndorsementMissing {
            what: format!("an endorsement of {measured}"),
        });
        let envelopes = statements
            .iter()
            .map(|statement| Envelope::parse(statement));
        for envelope in envelopes.filter_map(Result::ok) {
            match self.one(&keys, &envelope, measured) {
                // The last to end: the others are older copies of it.
                Ok(Some(endorsed)) if newest(&found).is_none_or(|it| it < endorsed.until) => {
                    found = Ok(endorsed);
                }
                Err(refused) if matches!(found, Err(Rejection::EndorsementMissing { .. })) => {
                    found = Err(refused);
                }
                Ok(_) | Err(_) => {}
            }
        }
        found
    }

    /// One statement, if it is an endorsement of what was measured by a key that may endorse it.
    fn one(
        &self,
        keys: &Keys,
        envelope: &Envelope,
        measured: &Measured,
    ) -> Result<Option<Endorsed>, Rejection> {
        let key = match keys.signer(envelope) {
            Ok(key) => key,
            Err(Rejection::ReleaseKeyNotVouched { .. }) => return Ok(None),
            Err(rejection) => return Err(rejection),
        };
        let endorsement = match Endorsement::signed_in(envelope, &key.key) {
            Ok(endorsement) => endorsement,
            Err(Rejection::StatementType { .. }) => return Ok(None),
            Err(rejection) => return Err(rejection),
        };
        let project = &keys.statement().project;
        if endorsement.project != *project || !endorsement.measurements.include(measured) {
            return Ok(None);
        }
        endorsement.check_current(keys.now(), self.max_age)?;
        let until = endorsement.until.min(endorsement.ages(self.max_age));
        Ok(Some(Endorsed {
            until: until.min(keys.until(key)),
            release: endorsement.release,
            issued: endorsement.issued,
        }))
    }

    /// The keys that the root vouches for now.
    fn keys(&self, statements: &[Vec<u8>], now: Time) -> Result<Keys, Rejection> {
        let missing = |what: &str| Rejection::EndorsementMissing {
            what: format!("{what} root {}", self.root),
        };
        let named = statements
            .iter()
            .filter_map(|statement| Root::named(statement, self.development).ok())
            .filter(|root| root.key_id() == self.root)
            .max_by_key(|root| root.statement().version);
        let mut root = named.ok_or_else(|| missing("the statement of"))?;
        // Each has a higher version than the one before, so there are no more than statements.
        while let Some(next) = statements.iter().find_map(|it| root.followed_by(it).ok()) {
            root = next;
        }
        let newest = statements
            .iter()
            .filter_map(|it| Some((KeyStatement::signed(it, &root).ok()?.version, it)))
            .max_by_key(|(version, _)| *version);
        let (_, newest) = newest.ok_or_else(|| missing("a key statement of"))?;
        Keys::stapled(root, newest, now)
    }
}

fn newest(found: &Result<Endorsed, Rejection>) -> Option<Time> {
    found.as_ref().ok().map(|endorsed| endorsed.until)
}
