//! in-toto Statement v1: named files by their SHA-256, and a predicate about them. Read only after its signature was verified.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::dsse::Envelope;
use crate::{Rejection, encoding::digest::Hex};

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// The maximum number of files in a statement. An image has a handful.
const MAX_SUBJECTS: usize = 64;

/// A statement whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement<P> {
    /// The files that it is about: at least one, without duplicates.
    pub subject: Vec<Subject>,
    /// What it says about them.
    pub predicate: P,
}

/// A file, by its name and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its name in the image folder.
    pub name: String,
    /// Its expected digest.
    pub digest: DigestSet,
}

/// The digest of a file. in-toto has many algorithms; this is the one that all implementations compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestSet {
    /// SHA-256.
    pub sha256: Hex<32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<P> {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: P,
}

/// What kind of statement this claims to be, ignoring the rest.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

impl Subject {
    /// A file.
    pub fn new(name: impl Into<String>, sha256: [u8; 32]) -> Self {
        Self {
            name: name.into(),
            digest: DigestSet {
                sha256: Hex(sha256),
            },
        }
    }
}

impl<P: Serialize + DeserializeOwned> Statement<P> {
    /// Reads a payload whose signature was verified, if its predicate has this type.
    pub(super) fn parse(payload: &[u8], predicate_type: &'static str) -> Result<Self, Rejection> {
        Self::parse_one_of(payload, &[predicate_type]).map(|(statement, _)| statement)
    }

    /// The same for one of several types, the newest first. Also returns which one it is.
    pub(super) fn parse_one_of(
        payload: &[u8],
        predicate_types: &[&'static str],
    ) -> Result<(Self, &'static str), Rejection> {
        let malformed = |what: String| Rejection::StatementMalformed { what };
        let unreadable = |error: serde_json::Error| malformed(error.to_string());
        let Kind {
            kind,
            predicate_type: found,
        } = serde_json::from_slice(payload).map_err(unreadable)?;
        let of_type = predicate_types.iter().find(|wanted| **wanted == found);
        let newest = predicate_types.first().copied().unwrap_or_default();
        let predicate_type = match of_type {
            _ if kind != STATEMENT => Err((kind, STATEMENT)),
            None => Err((found, newest)),
            Some(wanted) => Ok(*wanted),
        };
        let predicate_type =
            predicate_type.map_err(|(found, wanted)| Rejection::StatementType { found, wanted })?;
        let wire: Wire<P> = serde_json::from_slice(payload).map_err(unreadable)?;
        let mut names: Vec<_> = wire.subject.iter().map(|file| &file.name).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() != wire.subject.len() || !(1..=MAX_SUBJECTS).contains(&names.len()) {
            let what = format!("it is not about 1 to {MAX_SUBJECTS} files, each named once");
            return Err(malformed(what));
        }
        let statement = Self {
            subject: wire.subject,
            predicate: wire.predicate,
        };
        Ok((statement, predicate_type))
    }

    /// The unsigned envelope.
    pub(super) fn envelope(self, predicate_type: &str) -> Envelope {
        let wire = Wire {
            kind: STATEMENT.to_owned(),
            subject: self.subject,
            predicate_type: predicate_type.to_owned(),
            predicate: self.predicate,
        };
        Envelope::new(serde_json::to_vec(&wire).expect("names and numbers always serialise"))
    }
}
