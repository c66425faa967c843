//! Key statements: which keys a project's root authorizes to sign releases and logs, and when, and which ones it has revoked.
//!
//! ```json
//! {"project":"releases.example","version":1,"issued":"…Z","expires":"…Z",
//!  "keys":[{"role":"release","key":"<SubjectPublicKeyInfo, base64>","not_before":"…Z","expires":"…Z"}],
//!  "revoked":[{"key":"<SHA-256 of its SubjectPublicKeyInfo>","since":"…Z","why":"…"}]}
//! ```

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::{
    development::Development,
    dsse::Envelope,
    key::{KeyId, PublicKey},
    log::{Checkpoint, verify_inclusion},
    manifest::{MAX_NUMBER, Release, Seen, Signed, VerifiedRelease, is_project},
    root::{Root, SeenVersion, malformed},
};
use crate::{
    Rejection, Time,
    encoding::{
        base64,
        digest::{Hex, sha256},
    },
};

/// The payload type of a key statement.
pub const KEYS: &str = "application/vnd.chrysalis.keys+json";
/// The maximum number of keys in a statement, and of revoked ones.
const MAX_KEYS: usize = 64;
const MAX_REVOKED: usize = 256;
/// The maximum length of a reason, in bytes.
const MAX_WHY: usize = 256;

/// What a key is for. A key with any other role does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It signs manifests.
    Release,
    /// It signs the log's heads.
    Log,
}

/// A key that the root vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VouchedKey {
    /// Its role.
    pub role: Role,
    /// The key.
    pub key: PublicKey,
    /// Before this time it does not count.
    pub not_before: Time,
    /// From this time on neither the key nor anything that it signed counts.
    pub expires: Time,
}

/// A key that the root revokes, along with everything that it ever signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedKey {
    /// Its id.
    pub key: KeyId,
    /// When it was revoked, for people: nothing that it signed counts, no matter when it was signed.
    pub since: Time,
    /// Why, for people.
    pub why: String,
}

/// The content of a key statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatement {
    /// The project, as in the root statement.
    pub project: String,
    /// Counts up from statement to statement.
    pub version: u64,
    /// When it was signed.
    pub issued: Time,
    /// From this time on it vouches for nothing: the next one is due.
    pub expires: Time,
    /// The keys.
    pub keys: Vec<VouchedKey>,
    /// Revoked keys, which no longer count even if they are still listed among the keys.
    pub revoked: Vec<RevokedKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    project: String,
    version: u64,
    issued: Time,
    expires: Time,
    keys: Vec<WireKey>,
    revoked: Vec<RevokedKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKey {
    role: Role,
    key: String,
    not_before: Time,
    expires: Time,
}

/// What a publisher serves along with its manifests. Only the root that the reader names vouches for any of it.
#[derive(Clone, Copy)]
pub struct Published<'a> {
    /// The root statement that the reader names.
    pub root: &'a [u8],
    /// Every later one, in order.
    pub later_roots: &'a [Vec<u8>],
    /// The newest key statement.
    pub keys: &'a [u8],
    /// The proof that the log has an entry; `None` if there is none.
    pub proof: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>,
}

/// What a client has seen of a project's keys so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeenKeys {
    /// The newest root statement.
    pub root: Option<SeenVersion>,
    /// The newest key statement.
    pub keys: Option<SeenVersion>,
}

/// The keys that are valid at one time: a current root vouches for them, and one of their logs has every statement on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    root: Root,
    statement: KeyStatement,
    seen: SeenVersion,
    now: Time,
    logged: Option<Logged>,
}

/// The head of a log, and the key that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The head that all entries are under.
    pub checkpoint: Checkpoint,
    /// The log's key.
    pub key: KeyId,
}

/// A manifest signed by a valid key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    signed: Signed,
    /// The release key.
    pub signer: KeyId,
    /// Until when root, key statement and release key are all valid.
    pub until: Time,
    project: String,
    now: Time,
}

impl KeyStatement {
    /// The unsigned envelope, for the root to sign.
    pub fn envelope(&self) -> Envelope {
        let keys = self.keys.iter().map(|it| WireKey {
            role: it.role,
            key: BASE64.encode(&it.key.spki()),
            not_before: it.not_before,
            expires: it.expires,
        });
        let wire = Wire {
            project: self.project.clone(),
            version: self.version,
            issued: self.issued,
            expires: self.expires,
            keys: keys.collect(),
            revoked: self.revoked.clone(),
        };
        let payload = serde_json::to_vec(&wire).expect("names and numbers always serialise");
        Envelope::of(KEYS, payload)
    }

    /// Steps keys-1 to keys-3: reads a statement that this root signed, current or not.
    pub fn signed(statement: &[u8], root: &Root) -> Result<Self, Rejection> {
        Self::signed_as_seen(statement, root).map(|(statement, _)| statement)
    }

    fn signed_as_seen(statement: &[u8], root: &Root) -> Result<(Self, SeenVersion), Rejection> {
        let envelope = Envelope::parse(statement)?;
        envelope.payload_of_type(KEYS)?;
        let root = root.statement();
        if !envelope.is_signed_by(&root.key) {
            return Err(match envelope.payload_signed(&root.key) {
                Err(Rejection::EnvelopeKeyUnknown { wanted }) => {
                    Rejection::ReleaseRootUnknown { wanted }
                }
                Err(rejection) => rejection,
                Ok(_) => Rejection::ReleaseRootUnknown {
                    wanted: root.key.id(),
                },
            });
        }
        let payload = envelope.payload_signed(&root.key)?;
        let wire: Wire = serde_json::from_slice(payload).map_err(|error| malformed(&error))?;
        let development = if root.key.is_development() {
            Development::Named
        } else {
            Development::Refused
        };
        let keys = wire.keys.into_iter().map(|key| key.read(development));
        let statement = Self {
            project: wire.project,
            version: wire.version,
            issued: wire.issued,
            expires: wire.expires,
            keys: keys.collect::<Result<_, _>>()?,
            revoked: wire.revoked,
        };
        statement.check_sense(&root.key)?;
        if statement.project != root.project {
            return Err(Rejection::KeyStatementProject {
                found: statement.project,
                wanted: root.project.clone(),
            });
        }
        let seen = SeenVersion {
            version: statement.version,
            payload: Hex(sha256(&[payload])),
        };
        Ok((statement, seen))
    }

    fn check_sense(&self, root: &PublicKey) -> Result<(), Rejection> {
        let twice = |(at, key): (usize, &VouchedKey)| {
            let mut before = self.keys.iter().take(at);
            before.any(|other| (other.role, &other.key) == (key.role, &key.key))
        };
        let plain = |text: &str| text.len() <= MAX_WHY && !text.contains(char::is_control);
        let what = if !is_project(&self.project) {
            "its project is not a valid name"
        } else if self.version == 0 || self.version > MAX_NUMBER {
            "its version is not from 1 to 2^53 - 1"
        } else if self.expires <= self.issued {
            "it expires before it is issued"
        } else if self.keys.len() > MAX_KEYS || self.revoked.len() > MAX_REVOKED {
            "it has too many keys"
        } else if self.keys.iter().enumerate().any(twice) {
            "it has a key twice"
        } else if self.keys.iter().any(|key| key.expires <= key.not_before) {
            "a key expires before it becomes valid"
        } else if !self.revoked.iter().all(|it| plain(&it.why)) {
            "the reason for a revocation is too long, or has control characters"
        } else if !root.is_development() && self.keys.iter().any(|it| it.key == *root) {
            "it lists the root key itself, which signs nothing but statements"
        } else {
            return Ok(());
        };
        Err(malformed(&what))
    }

    /// Steps keys-4 and keys-5.
    fn check_current(
        &self,
        found: SeenVersion,
        now: Time,
        seen: Option<SeenVersion>,
    ) -> Result<(), Rejection> {
        let Self {
            issued,
            expires,
            version,
            ..
        } = *self;
        if now < issued {
            return Err(Rejection::KeyStatementNotYetValid { from: issued });
        }
        if now >= expires {
            return Err(Rejection::KeyStatementExpired { until: expires });
        }
        let Some(seen) = seen else { return Ok(()) };
        if version < seen.version {
            return Err(Rejection::KeyStatementRolledBack {
                found: version,
                seen: seen.version,
            });
        }
        if version == seen.version && found.payload != seen.payload {
            return Err(Rejection::KeyStatementVersionReused { version });
        }
        Ok(())
    }

    fn is_revoked(&self, key: &KeyId) -> bool {
        self.revoked.iter().any(|it| it.key == *key)
    }
}

impl WireKey {
    fn read(self, development: Development) -> Result<VouchedKey, Rejection> {
        let der = base64::decode(&self.key).ok_or(Rejection::ReleaseKeyMalformed)?;
        Ok(VouchedKey {
            role: self.role,
            key: PublicKey::from_spki_with(&der, development)?,
            not_before: self.not_before,
            expires: self.expires,
        })
    }
}

impl Published<'_> {
    /// Steps root-1 to keys-5, and checks that the log has each of these statements. Returns the keys that are valid now.
    pub fn keys(
        &self,
        development: Development,
        now: Time,
        seen: SeenKeys,
    ) -> Result<Keys, Rejection> {
        let mut root = Root::named(self.root, development)?;
        for next in self.later_roots {
            root = root.followed_by(next)?;
        }
        root.check_current(now, seen.root)?;
        let (statement, found) = KeyStatement::signed_as_seen(self.keys, &root)?;
        statement.check_current(found, now, seen.keys)?;
        let mut keys = Keys {
            root,
            statement,
            seen: found,
            now,
            logged: None,
        };
        let statements = [("the root statement", self.root)].into_iter();
        let later = self
            .later_roots
            .iter()
            .map(|it| ("a later root statement", &it[..]));
        let statements = statements
            .chain(later)
            .chain([("the key statement", self.keys)]);
        for (what, entry) in statements {
            let proof = (self.proof)(entry);
            keys.has_logged(what, entry, proof.as_deref())?;
        }
        Ok(keys)
    }
}

impl Keys {
    /// The same for statements that came with evidence, where no proof of a log and no memory does.
    pub(super) fn stapled(root: Root, statement: &[u8], now: Time) -> Result<Self, Rejection> {
        root.check_current(now, None)?;
        let (statement, found) = KeyStatement::signed_as_seen(statement, &root)?;
        statement.check_current(found, now, None)?;
        Ok(Self {
            root,
            statement,
            seen: found,
            now,
            logged: None,
        })
    }

    /// Steps keys-6, log-1, log-2, and release-1 to release-3: a manifest that one of the release keys signed and the log has.
    pub fn signed(&mut self, manifest: &[u8], proof: Option<&[u8]>) -> Result<Vouched, Rejection> {
        let envelope = Envelope::parse(manifest)?;
        let vouched_for = self.signer(&envelope)?;
        let signed = Release::signed_in(&envelope, &vouched_for.key)?;
        let until = self.until(vouched_for);
        let by = vouched_for.key.id();
        self.has_logged("the manifest", manifest, proof)?;
        Ok(Vouched {
            signed,
            signer: by,
            until,
            project: self.statement.project.clone(),
            now: self.now,
        })
    }

    /// Step keys-6: one of several signatures is enough.
    pub(super) fn signer(&self, envelope: &Envelope) -> Result<&VouchedKey, Rejection> {
        let releases = self.statement.keys.iter();
        let releases = releases.filter(|it| it.role == Role::Release);
        let mut refused = None;
        for key in releases.filter(|it| envelope.is_signed_by(&it.key)) {
            let id = key.key.id();
            let found = if self.statement.is_revoked(&id) {
                Rejection::ReleaseKeyRevoked { key: id }
            } else if self.now < key.not_before {
                let from = key.not_before;
                Rejection::ReleaseKeyNotYetValid { key: id, from }
            } else if self.now >= key.expires {
                let until = key.expires;
                Rejection::ReleaseKeyExpired { key: id, until }
            } else {
                return Ok(key);
            };
            refused = refused.or(Some(found));
        }
        // A key that is revoked and no longer listed cannot be tried; the id that the envelope claims is enough for a refusal.
        let mut revoked = self.statement.revoked.iter().map(|it| it.key);
        let claimed = revoked.find(|key| {
            let name = key.to_string();
            envelope.claimed_keys().any(|claimed| claimed == name)
        });
        let claimed = claimed.map(|key| Rejection::ReleaseKeyRevoked { key });
        let root = self.root.key_id();
        Err(refused
            .or(claimed)
            .unwrap_or(Rejection::ReleaseKeyNotVouched { root }))
    }

    /// Step keys-7: the log of a valid key has this entry, under the one head that covers them all.
    fn has_logged(
        &mut self,
        what: &'static str,
        entry: &[u8],
        proof: Option<&[u8]>,
    ) -> Result<(), Rejection> {
        let Some(proof) = proof else {
            return Err(Rejection::LogEntryMissing { what });
        };
        let Self { statement, now, .. } = self;
        let counts = |it: &&VouchedKey| {
            it.role == Role::Log
                && (it.not_before..it.expires).contains(now)
                && !statement.is_revoked(&it.key.id())
        };
        let mut found = Err(Rejection::LogKeyNotVouched {
            root: self.root.key_id(),
        });
        for VouchedKey { key, .. } in statement.keys.iter().filter(counts) {
            found = verify_inclusion(entry, proof, key).map(|checkpoint| Logged {
                checkpoint,
                key: key.id(),
            });
            // Another of the log's keys may be the one that signed.
            if !matches!(found, Err(Rejection::CheckpointUnsigned { .. })) {
                break;
            }
        }
        let found = found?;
        match &self.logged {
            Some(before) if *before != found => Err(Rejection::LogForked {
                size: before.checkpoint.size,
            }),
            _ => {
                self.logged = Some(found);
                Ok(())
            }
        }
    }

    /// Until when root, key statement and this key are all valid.
    pub(super) fn until(&self, key: &VouchedKey) -> Time {
        let statements = self.statement.expires.min(self.root.statement.expires);
        statements.min(key.expires)
    }

    /// The time for which they were asked.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// The root that vouches for them.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The root's content.
    pub fn statement(&self) -> &KeyStatement {
        &self.statement
    }

    /// Whether all of this rests on the development key: if so, every output says [`super::ANYONE_CAN_SIGN`].
    pub fn is_development(&self) -> bool {
        self.root.statement.key.is_development()
    }

    /// The log that has everything so far. Compare it with the head last seen.
    pub fn log(&self) -> Option<&Logged> {
        self.logged.as_ref()
    }

    /// What the client should remember.
    pub fn seen(&self) -> SeenKeys {
        SeenKeys {
            root: Some(self.root.seen),
            keys: Some(self.seen),
        }
    }
}

impl Vouched {
    /// What was signed, current or not.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// The rest of release-3, release-4 and release-5.
    pub fn current(self, seen: Option<Seen>) -> Result<VerifiedRelease, Rejection> {
        self.signed.current(&self.project, self.now, seen)
    }
}
