//! A release's manifest: which image it is, what hardware reports for it, how old it may get, and that it is not a rollback.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    dsse::Envelope,
    key::PublicKey,
    measurements::Measurements,
    statement::{Statement, Subject},
};
use crate::{
    Rejection, Time,
    encoding::digest::{Hex, sha256},
    snp::{product::Product, tcb::Tcb},
};

/// The predicate's type.
pub const RELEASE: &str = "tag:chrysalis,2026:release/2";
/// The first type, for manifests that do not name a project.
const RELEASE_1: &str = "tag:chrysalis,2026:release/1";

/// The largest number that every JSON reader represents exactly.
pub(super) const MAX_NUMBER: u64 = (1 << 53) - 1;
/// The maximum length of a project's name, in bytes.
const MAX_PROJECT: usize = 64;

/// What a release says about its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The project that it is a release of, as in its root statement. `None` in manifests of the first type (v0.1.3 and before), which
    /// belong to the project that the reader asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Its version, for people.
    pub release: String,
    /// Counts up from release to release, and decides which of two is newer.
    pub epoch: u64,
    /// When it was signed.
    pub issued: Time,
    /// From this time on it must not be trusted: a newer one is due.
    pub expires: Time,
    /// What the image was made of.
    pub inputs: Vec<Input>,
    /// What compiled the programs in it.
    pub toolchain: Option<Toolchain>,
    /// What hardware reports for it.
    pub measurements: Measurements,
    /// The firmware levels below which this release must not be trusted, by product line.
    pub minimum_tcb: BTreeMap<Product, MinimumTcb>,
}

/// A pinned package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name in the recipe.
    pub name: String,
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file.
    pub sha256: Hex<32>,
}

/// What, besides its source, decides the bytes of a compiled program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// Release and commit of rustc.
    pub rustc: String,
    /// The C compiler's version, as it reports it.
    pub c_compiler: String,
    /// SHA-256 of the C library that is linked in.
    pub c_library: Hex<32>,
}

/// A floor for the firmware's components, as in a policy.
pub type MinimumTcb = Tcb;

/// The newest release of a project that a client has seen, under any key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its epoch.
    pub epoch: u64,
    /// SHA-256 of its payload: there must not be two releases with one epoch.
    pub payload: Hex<32>,
}

/// A signed manifest. Whether it is current has not been checked yet: an auditor need not check, a relying party must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    files: Vec<Subject>,
    release: Release,
    seen: Seen,
}

/// A manifest that is signed, current, and not a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRelease {
    /// The image's files.
    pub files: Vec<Subject>,
    /// What the release says about them.
    pub release: Release,
    /// What the client should remember.
    pub seen: Seen,
}

impl Release {
    /// The unsigned manifest of these files.
    pub fn envelope(self, files: Vec<Subject>) -> Envelope {
        let statement = Statement {
            subject: files,
            predicate: self,
        };
        let of_type = match statement.predicate.project {
            Some(_) => RELEASE,
            None => RELEASE_1,
        };
        statement.envelope(of_type)
    }

    /// Steps release-1 to release-3: did `key` sign this manifest?
    pub fn signed(manifest: &[u8], key: &PublicKey) -> Result<Signed, Rejection> {
        Self::signed_in(&Envelope::parse(manifest)?, key)
    }

    /// The same for an envelope that has been read already.
    pub(super) fn signed_in(envelope: &Envelope, key: &PublicKey) -> Result<Signed, Rejection> {
        let payload = envelope.payload_signed_by(key)?;
        let types = [RELEASE, RELEASE_1];
        let (statement, of_type) = Statement::<Self>::parse_one_of(payload, &types)?;
        let release = statement.predicate;
        release.check_sense(of_type)?;
        Ok(Signed {
            files: statement.subject,
            seen: Seen {
                epoch: release.epoch,
                payload: Hex(sha256(&[payload])),
            },
            release,
        })
    }

    /// Steps release-1 to release-5: is `manifest` signed by `key`, from this project, valid at `now`, and no older than the newest
    /// seen? Only the caller vouches for the key: [`super::Published`] asks a root.
    pub fn verify(
        manifest: &[u8],
        key: &PublicKey,
        project: &str,
        now: Time,
        seen: Option<Seen>,
    ) -> Result<VerifiedRelease, Rejection> {
        Self::signed(manifest, key)?.current(project, now, seen)
    }

    fn check_sense(&self, of_type: &str) -> Result<(), Rejection> {
        let measurements = &self.measurements;
        let placed = match &self.project {
            Some(project) => of_type == RELEASE && is_project(project),
            None => of_type == RELEASE_1,
        };
        let what = if !placed {
            "its project is missing or not a valid name, or a manifest of the first type names one"
        } else if self.epoch > MAX_NUMBER {
            "its epoch is over 2^53 - 1"
        } else if self.expires <= self.issued {
            "it expires before it is issued"
        } else if measurements.snp.is_empty() && measurements.tdx.is_empty() {
            "it has no measurements"
        } else {
            return Ok(());
        };
        Err(Rejection::StatementMalformed {
            what: what.to_owned(),
        })
    }
}

impl Signed {
    /// The image's files.
    pub fn files(&self) -> &[Subject] {
        &self.files
    }

    /// What was signed about them, current or not.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// The rest of step release-3: does it belong to this project?
    fn check_project(&self, wanted: &str) -> Result<(), Rejection> {
        match &self.release.project {
            Some(found) if found != wanted => Err(Rejection::ReleaseProject {
                found: found.clone(),
                wanted: wanted.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Steps release-3 to release-5.
    pub fn current(
        self,
        project: &str,
        now: Time,
        seen: Option<Seen>,
    ) -> Result<VerifiedRelease, Rejection> {
        self.check_project(project)?;
        let Release {
            issued, expires, ..
        } = self.release;
        if now < issued {
            return Err(Rejection::ReleaseNotYetValid { from: issued });
        }
        if now >= expires {
            return Err(Rejection::ReleaseExpired { until: expires });
        }
        no_step_back(self.seen, seen)?;
        Ok(VerifiedRelease {
            files: self.files,
            release: self.release,
            seen: self.seen,
        })
    }
}

/// Whether a project may have this name: a name, or an address without its scheme, that is safe for terminals and file systems.
pub fn is_project(name: &str) -> bool {
    let plain = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '.' | '-' | '/');
    (1..=MAX_PROJECT).contains(&name.len()) && name.chars().all(plain)
}

fn no_step_back(found: Seen, seen: Option<Seen>) -> Result<(), Rejection> {
    let Some(seen) = seen else { return Ok(()) };
    if found.epoch < seen.epoch {
        return Err(Rejection::ReleaseRolledBack {
            found: found.epoch,
            seen: seen.epoch,
        });
    }
    if found.epoch == seen.epoch && found.payload != seen.payload {
        return Err(Rejection::ReleaseEpochReused { epoch: found.epoch });
    }
    Ok(())
}
