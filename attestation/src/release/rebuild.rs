//! Rebuilders: who built the same image from its inputs, and says under their own key what hardware will say about it.

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
/// The most statements that a verifier looks at.
pub const MAX_STATEMENTS: usize = 32;

/// What a rebuilder says about the files that came out. Who says it is the key that signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// The release that was rebuilt, for people.
    pub release: String,
    /// When it was.
    pub rebuilt: Time,
    /// What compiled the programs in it.
    pub toolchain: Option<Toolchain>,
    /// What hardware says about it.
    pub measurements: Measurements,
}

/// `[rebuilders]` of a policy: how many of whom must confirm an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilders {
    /// Those who count, none twice.
    pub keys: Vec<PublicKey>,
    /// How many of them; at least one, at most all.
    pub at_least: usize,
}

impl Rebuild {
    /// The statement about these files, to be signed.
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
    /// Whoever brings the statements is not trusted: what cannot be read, or is signed by nobody here, counts for nothing.
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
