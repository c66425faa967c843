//! Rebuilders: parties that built the same image from its inputs and state, under their own keys, what hardware will report for it.

use serde::{Deserialize, Serialize};

use super::{
    dsse::Envelope,
    key::PublicKey,
    manifest::Toolchain,
    measurements::{Measured, Measurements},
    statement::{Statement, Subject},
};
use crate::{Rejection, Time};

/// The predicate's type.
pub const REBUILD: &str = "tag:chrysalis,2026:rebuild/1";
/// The maximum number of statements that a verifier reads.
pub const MAX_STATEMENTS: usize = 32;

/// A rebuilder's statement about the resulting files. The rebuilder is identified by the signing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// The release that was rebuilt, for people.
    pub release: String,
    /// When it was rebuilt.
    pub rebuilt: Time,
    /// What compiled the programs in it.
    pub toolchain: Option<Toolchain>,
    /// What hardware reports for it.
    pub measurements: Measurements,
}

/// `[rebuilders]` of a policy: who may confirm an image, and how many of them must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilders {
    /// The keys that count, without duplicates.
    pub keys: Vec<PublicKey>,
    /// How many of them must confirm; at least one, at most all.
    pub at_least: usize,
}

impl Rebuild {
    /// The unsigned statement about these files.
    pub fn envelope(self, files: Vec<Subject>) -> Envelope {
        let statement = Statement {
            subject: files,
            predicate: self,
        };
        statement.envelope(REBUILD)
    }

    /// Reads a statement that `key` signed, and the files that it is about.
    pub fn verify(statement: &[u8], key: &PublicKey) -> Result<(Self, Vec<Subject>), Rejection> {
        let envelope = Envelope::parse(statement)?;
        Self::signed_by(&envelope, key)
    }

    fn signed_by(envelope: &Envelope, key: &PublicKey) -> Result<(Self, Vec<Subject>), Rejection> {
        let payload = envelope.payload_signed_by(key)?;
        let statement = Statement::<Self>::parse(payload, REBUILD)?;
        Ok((statement.predicate, statement.subject))
    }
}

impl Rebuilders {
    /// Step policy-13: how many of the keys confirm what was measured, if that is enough.
    ///
    /// The source of the statements is not trusted: one that cannot be read, or is not signed by one of these keys, does not count.
    pub fn confirm(&self, statements: &[Vec<u8>], measured: &Measured) -> Result<usize, Rejection> {
        let statements: Vec<_> = statements
            .iter()
            .take(MAX_STATEMENTS)
            .filter_map(|statement| Envelope::parse(statement).ok())
            .collect();
        let confirms = |key: &&PublicKey| {
            let mut theirs = statements
                .iter()
                .filter_map(|it| Rebuild::signed_by(it, key).ok());
            theirs.any(|(rebuild, _)| rebuild.measurements.include(measured))
        };
        let found = self.keys.iter().filter(confirms).count();
        if found >= self.at_least {
            Ok(found)
        } else {
            Err(Rejection::RebuildersTooFew {
                found,
                wanted: self.at_least,
                measured: measured.to_string(),
            })
        }
    }
}
