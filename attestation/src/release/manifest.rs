//! A release's manifest: which image it is, what hardware says about it, how old it may get, and that it is no step back.

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
    snp::product::Product,
};

/// The predicate's type.
pub const RELEASE: &str = "tag:chrysalis,2026:release/2";
/// The first one, of manifests that name no project.
const RELEASE_1: &str = "tag:chrysalis,2026:release/1";

/// The largest number that every reader of JSON keeps exactly.
pub(super) const MAX_NUMBER: u64 = (1 << 53) - 1;
/// The most bytes of a project's name.
const MAX_PROJECT: usize = 64;

/// What a release says about its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The project that it is a release of, as in its root statement. None in manifests of the first type (v0.1.3 and before), which
    /// are of the project that the reader asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Its version, for people.
    pub release: String,
    /// Counts up from release to release, and decides which of two is the newer one.
    pub epoch: u64,
    /// When it was signed.
    pub issued: Time,
    /// From then on it is not to be trusted: a newer one is due.
    pub expires: Time,
    /// What the image was made of.
    pub inputs: Vec<Input>,
    /// What compiled the programs in it.
    pub toolchain: Option<Toolchain>,
    /// What hardware says about it.
    pub measurements: Measurements,
    /// The firmware levels below which this release is not to be trusted, by product line.
    pub minimum_tcb: BTreeMap<Product, MinimumTcb>,
}

/// A pinned package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What the recipe calls it.
    pub name: String,
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file.
    pub sha256: Hex<32>,
}

/// What decides the bytes of a compiled program beside its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// Release and commit of rustc.
    pub rustc: String,
    /// The C compiler's own words about its version.
    pub c_compiler: String,
    /// SHA-256 of the C library that is linked in.
    pub c_library: Hex<32>,
}

/// A floor for the firmware's components, as in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinimumTcb {
    /// Turin's management controller; elsewhere none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmc: Option<u8>,
    /// The security processor's boot loader.
    pub bootloader: u8,
    /// The security processor's operating system.
    pub tee: u8,
    /// The SNP firmware.
    pub snp: u8,
    /// The lowest microcode level of all cores.
    pub microcode: u8,
}

/// The newest release of a project that a client has seen, under whatever key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its epoch.
    pub epoch: u64,
    /// SHA-256 of its payload: two releases of one epoch are one too many.
    pub payload: Hex<32>,
}

/// A manifest that is signed. Nobody has asked yet whether it is current: an auditor does not, a relying party must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    files: Vec<Subject>,
    release: Release,
    seen: Seen,
}

/// A manifest that is signed, current, and no step back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRelease {
    /// The image's files.
    pub files: Vec<Subject>,
    /// What is said about them.
    pub release: Release,
    /// What the client is to remember.
    pub seen: Seen,
}

impl Release {
    /// The manifest of these files, to be signed.
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

    /// The same of an envelope that is read already.
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

    /// Steps release-1 to release-5: is `manifest` signed by `key`, of this project, valid at `now`, and no older than the newest
    /// seen? Nothing vouches for the key but the caller: [`super::Published`] asks a root.
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
            "its project is missing, or no name that a project has, or a manifest of the first type names one"
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

    /// The rest of step release-3: is it of this project?
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

/// Whether a project may be called so: a name, or an address without its scheme, that no terminal or file system takes amiss.
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
