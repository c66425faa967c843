//! Root statements: which key speaks for a project, and which one replaces it. A reader names the first one; every later one is
//! signed by the previous key and by its own, one version after the other, as TUF rotates roots (specification §5.3).
//!
//! ```json
//! {"project":"releases.example","version":1,"issued":"…Z","expires":"…Z","key":"<SubjectPublicKeyInfo, base64>"}
//! ```

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::{
    development::Development,
    dsse::Envelope,
    key::{KeyId, PublicKey},
    manifest::{MAX_NUMBER, is_project},
};
use crate::{
    Rejection, Time,
    encoding::{
        base64,
        digest::{Hex, sha256},
    },
};

/// The payload type of a root statement.
pub const ROOT: &str = "application/vnd.chrysalis.root+json";

/// A version of a statement that a client has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenVersion {
    /// Its version.
    pub version: u64,
    /// SHA-256 of its payload: there must not be two statements with one version.
    pub payload: Hex<32>,
}

/// The content of a root statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootStatement {
    /// The project. A client remembers releases by its name, regardless of which keys sign them.
    pub project: String,
    /// From 1 on, without gaps.
    pub version: u64,
    /// When it was signed.
    pub issued: Time,
    /// From this time on it vouches for nothing: the next one is due.
    pub expires: Time,
    /// The root key.
    pub key: PublicKey,
}

/// A root statement signed by its own key. Whether it is current has not been checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    pub(super) statement: RootStatement,
    pub(super) seen: SeenVersion,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    project: String,
    version: u64,
    issued: Time,
    expires: Time,
    key: String,
}

impl RootStatement {
    /// The unsigned envelope. [`Self::key`] must sign it, and so must the previous root's key, if there is one.
    pub fn envelope(&self) -> Envelope {
        let wire = Wire {
            project: self.project.clone(),
            version: self.version,
            issued: self.issued,
            expires: self.expires,
            key: BASE64.encode(&self.key.spki()),
        };
        let payload = serde_json::to_vec(&wire).expect("names and numbers always serialise");
        Envelope::of(ROOT, payload)
    }
}

impl Root {
    /// Steps root-1 to root-3: the statement that the reader names, signed by the key inside it.
    pub fn named(statement: &[u8], development: Development) -> Result<Self, Rejection> {
        let envelope = Envelope::parse(statement)?;
        Self::own(&envelope, development)
    }

    fn own(envelope: &Envelope, development: Development) -> Result<Self, Rejection> {
        envelope.payload_of_type(ROOT)?;
        // The key that must have signed it is inside it. Nothing else in it is used before that has been verified.
        let payload = envelope.unverified_payload();
        let wire: Wire = serde_json::from_slice(payload).map_err(|error| malformed(&error))?;
        let key = base64::decode(&wire.key).ok_or(Rejection::ReleaseKeyMalformed)?;
        let key = PublicKey::from_spki_with(&key, development)?;
        let payload = envelope.payload_signed(&key)?;
        let seen = SeenVersion {
            version: wire.version,
            payload: Hex(sha256(&[payload])),
        };
        let statement = RootStatement {
            project: wire.project,
            version: wire.version,
            issued: wire.issued,
            expires: wire.expires,
            key,
        };
        statement.check_sense()?;
        Ok(Self { statement, seen })
    }

    /// Step root-4: the next root, signed by this one's key and its own. This one may have expired: the next one is how it is
    /// replaced.
    pub fn followed_by(&self, next: &[u8]) -> Result<Self, Rejection> {
        let RootStatement {
            project,
            version,
            key,
            ..
        } = &self.statement;
        let envelope = Envelope::parse(next)?;
        // The development key cannot hand over to another key, and no key can hand over to it.
        let next = Self::own(&envelope, Development::Refused)?;
        if key.is_development() || !envelope.is_signed_by(key) {
            return Err(Rejection::ReleaseRootNotVouched { old: key.id() });
        }
        let (found, wanted) = (next.statement.version, version + 1);
        if found != wanted {
            return Err(Rejection::ReleaseRootVersionSkipped { found, wanted });
        }
        if next.statement.project != *project {
            return Err(Rejection::ReleaseRootProject {
                found: next.statement.project,
                wanted: project.clone(),
            });
        }
        Ok(next)
    }

    /// Steps root-5 and root-6: is it valid at this time, and not a rollback?
    pub(super) fn check_current(
        &self,
        now: Time,
        seen: Option<SeenVersion>,
    ) -> Result<(), Rejection> {
        let RootStatement {
            issued, expires, ..
        } = self.statement;
        if now < issued {
            return Err(Rejection::ReleaseRootNotYetValid { from: issued });
        }
        if now >= expires {
            return Err(Rejection::ReleaseRootExpired { until: expires });
        }
        let Some(seen) = seen else { return Ok(()) };
        let version = self.seen.version;
        if version < seen.version {
            return Err(Rejection::ReleaseRootRolledBack {
                found: version,
                seen: seen.version,
            });
        }
        if version == seen.version && self.seen.payload != seen.payload {
            return Err(Rejection::ReleaseRootVersionReused { version });
        }
        Ok(())
    }

    /// Its content.
    pub fn statement(&self) -> &RootStatement {
        &self.statement
    }

    /// The root key's id.
    pub fn key_id(&self) -> KeyId {
        self.statement.key.id()
    }
}

impl RootStatement {
    fn check_sense(&self) -> Result<(), Rejection> {
        let what = if !is_project(&self.project) {
            "its project is not a valid name"
        } else if self.version == 0 || self.version > MAX_NUMBER {
            "its version is not from 1 to 2^53 - 1"
        } else if self.expires <= self.issued {
            "it expires before it is issued"
        } else {
            return Ok(());
        };
        Err(malformed(&what))
    }
}

pub(super) fn malformed(what: &dyn ToString) -> Rejection {
    Rejection::StatementMalformed {
        what: what.to_string(),
    }
}
