//! Whose word on a release counts: a root that the reader names and what it vouches for, or a release key that the reader takes as it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrysalis_attestation::{
    Rejection, Time,
    release::{
        ANYONE_CAN_SIGN, Checkpoint, Development, KeyId, Keys, MAX_ENVELOPE, PublicKey, Published,
        Release, Root, Seen, Signed, VerifiedRelease, Vouched, verify_inclusion,
    },
};
use chrysalis_image::publish::{Log, PROJECT, Publication, development};
use clap::Args;
use serde_json::{Value, json};

use crate::{
    files::read,
    keys::{read_public, short, warning},
    seen::State,
};

/// Whose word counts.
#[derive(Debug, Args)]
pub(crate) struct Publisher {
    /// The publisher's root statement (N.root.json), which you have compared in more than one place
    #[arg(long, value_name = "FILE", requires = "keys", conflicts_with = "key")]
    pub(crate) root: Option<PathBuf>,
    /// With --root, the folder that the publisher serves: later root statements, keys.json and log
    #[arg(long, value_name = "DIR", requires = "root")]
    pub(crate) keys: Option<PathBuf>,
    /// Take this public key, PEM or DER, as the publisher's, though no root vouches for it and nothing shows whether it is revoked
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// With --key, the project that the release must be of
    #[arg(long, value_name = "NAME", default_value = PROJECT, conflicts_with = "root")]
    pub(crate) project: String,
    /// The folder of the log that the manifest must be in; with --root, by default `log` in the folder of --keys
    #[arg(long, value_name = "DIR")]
    pub(crate) log: Option<PathBuf>,
    /// With --key, the log's public key; a root names its own
    #[arg(long, value_name = "FILE", requires = "log", conflicts_with = "root")]
    pub(crate) log_key: Option<PathBuf>,
    /// Accept the development root, whose private half is public: anyone can sign under it
    #[arg(long)]
    pub(crate) development_root: bool,
}

/// A manifest that counts by somebody's word, and by whose.
pub(crate) struct Vetted {
    word: Word,
    /// The log that has it; none where no log was asked for.
    head: Option<(Checkpoint, KeyId)>,
    /// Whether any of the keys is the development key.
    development: bool,
}

enum Word {
    Root {
        keys: Box<Keys>,
        vouched: Vouched,
    },
    Key {
        signed: Signed,
        key: PublicKey,
        project: String,
        now: Time,
    },
}

impl Publisher {
    /// Whether the development key may count.
    pub(crate) fn development(&self) -> Development {
        development(self.development_root)
    }

    /// Reads who counts, and finds out whether they signed this manifest. Whether it is current is asked next.
    pub(crate) fn signed(
        &self,
        manifest: &[u8],
        now: Time,
        state: &State,
    ) -> anyhow::Result<Result<Vetted, Rejection>> {
        match self.vetted(manifest, now, state) {
            Ok(vetted) => Ok(Ok(vetted)),
            Err(error) => error.downcast().map(Err),
        }
    }

    /// Where it is refused, the error is the [`Rejection`] itself.
    fn vetted(&self, manifest: &[u8], now: Time, state: &State) -> anyhow::Result<Vetted> {
        let vetted = match (&self.root, &self.keys, &self.key) {
            (Some(root), Some(keys), _) => self.by_root(root, keys, manifest, now, state)?,
            (_, _, Some(key)) => self.by_key(key, manifest, now)?,
            _ => bail!(
                "whose release is it? name the publisher's root with --root and --keys, or take a key as it is with --key"
            ),
        };
        if let (Some((head, key)), Some(folder)) = (&vetted.head, self.log_folder()) {
            Log::at(folder).follows(head, state.head(key))??;
        }
        Ok(vetted)
    }

    fn by_root(
        &self,
        root: &Path,
        folder: &Path,
        manifest: &[u8],
        now: Time,
        state: &State,
    ) -> anyhow::Result<Vetted> {
        let root = read(root, MAX_ENVELOPE)?;
        let publication = Publication::at(folder);
        let first = Root::named(&root, self.development())?;
        let statement = first.statement();
        let later_roots = publication.roots_after(statement.version)?;
        let keys = publication.keys()?;
        let log = Log::at(self.log_folder().context("no log")?);
        let proof = |entry: &[u8]| log.proof(entry).ok();
        let published = Published {
            root: &root,
            later_roots: &later_roots,
            keys: &keys,
            proof: &proof,
        };
        let seen = state.keys(&statement.project);
        let mut keys = Box::new(published.keys(self.development(), now, seen)?);
        let vouched = keys.signed(manifest, proof(manifest).as_deref())?;
        Ok(Vetted {
            head: keys.log().map(|it| (it.checkpoint.clone(), it.key)),
            development: keys.is_development(),
            word: Word::Root { keys, vouched },
        })
    }

    fn by_key(&self, key: &Path, manifest: &[u8], now: Time) -> anyhow::Result<Vetted> {
        let key = read_public(key, self.development())?;
        let log = match (&self.log, &self.log_key) {
            (Some(folder), Some(log_key)) => {
                Some((folder, read_public(log_key, self.development())?))
            }
            (Some(_), None) => {
                bail!("with --key, --log needs --log-key: no root names the log's key")
            }
            _ => None,
        };
        let signed = Release::signed(manifest, &key)?;
        let mut development = key.is_development();
        let head = match log {
            Some((folder, log_key)) => {
                development |= log_key.is_development();
                let proof = Log::at(folder)
                    .proof(manifest)
                    .context("no proof that the log has this file")?;
                let head = verify_inclusion(manifest, &proof, &log_key)?;
                Some((head, log_key.id()))
            }
            None => None,
        };
        let word = Word::Key {
            signed,
            key,
            project: self.project.clone(),
            now,
        };
        Ok(Vetted {
            word,
            head,
            development,
        })
    }

    fn log_folder(&self) -> Option<PathBuf> {
        let in_keys = || Some(Publication::at(self.keys.as_ref()?).log_path());
        self.log.clone().or_else(in_keys)
    }
}

impl Vetted {
    /// What was signed, current or not.
    pub(crate) fn signed(&self) -> &Signed {
        match &self.word {
            Word::Root { vouched, .. } => vouched.signed(),
            Word::Key { signed, .. } => signed,
        }
    }

    /// Whether it is of the project, current, and no step back from what this user has seen of the project under whatever key.
    pub(crate) fn current(&self, state: &State) -> Result<VerifiedRelease, Rejection> {
        match &self.word {
            Word::Root { vouched, .. } => vouched.clone().current(self.seen(state)),
            Word::Key {
                signed,
                project,
                now,
                ..
            } => signed.clone().current(project, *now, self.seen(state)),
        }
    }

    /// What was seen of the project, and before projects had names, of the keys that count.
    fn seen(&self, state: &State) -> Option<Seen> {
        let keys = match &self.word {
            Word::Root { keys, .. } => {
                let statement = keys.statement();
                let listed = statement.keys.iter().map(|it| it.key.id());
                let revoked = statement.revoked.iter().map(|it| it.key);
                listed.chain(revoked).collect()
            }
            Word::Key { key, .. } => vec![key.id()],
        };
        state.release(self.project(), &keys)
    }

    /// Remembers all of it, once it is current.
    pub(crate) fn remember(&self, verified: &VerifiedRelease, state: &mut State) {
        state.remember_release(self.project(), verified.seen);
        if let Word::Root { keys, .. } = &self.word {
            state.remember_keys(self.project(), keys.seen());
        }
        if let Some((head, key)) = &self.head {
            state.remember_head(key, head.head());
        }
    }

    fn project(&self) -> &str {
        match &self.word {
            Word::Root { keys, .. } => &keys.statement().project,
            Word::Key { project, .. } => project,
        }
    }

    /// The root's name, where one vouches.
    pub(crate) fn root(&self) -> Option<KeyId> {
        match &self.word {
            Word::Root { keys, .. } => Some(keys.root().key_id()),
            Word::Key { .. } => None,
        }
    }

    /// The release key's name.
    pub(crate) fn signer(&self) -> KeyId {
        match &self.word {
            Word::Root { vouched, .. } => vouched.signer,
            Word::Key { key, .. } => key.id(),
        }
    }

    /// Until when the release counts: it, its key, and whatever vouches for that.
    pub(crate) fn until(&self) -> Time {
        let expires = self.signed().release().expires;
        match &self.word {
            Word::Root { vouched, .. } => expires.min(vouched.until),
            Word::Key { .. } => expires,
        }
    }

    /// Whether anyone could have signed it.
    pub(crate) fn is_development(&self) -> bool {
        self.development
    }

    /// Who vouches for it, in lines for people.
    pub(crate) fn told(&self) -> String {
        let who = match &self.word {
            Word::Root { keys, .. } => format!(
                "project {:<24} root {}, version {}; keys version {}\n",
                self.project(),
                short(&keys.root().key_id()),
                keys.root().statement().version,
                keys.statement().version,
            ),
            Word::Key { .. } => format!(
                "project {:<24} no root vouches for the key\n",
                self.project()
            ),
        };
        let log = self.head.as_ref().map_or_else(String::new, |(head, _)| {
            format!("log     {:<24} one of {} entries\n", head.origin, head.size)
        });
        format!("{who}{log}{}", warning(self.is_development()))
    }

    /// The same for programs.
    pub(crate) fn to_json(&self) -> Value {
        let (root, keys) = match &self.word {
            Word::Root { keys, .. } => {
                let root = keys.root();
                let versions = (root.statement().version, keys.statement().version);
                (
                    json!({ "key": root.key_id(), "version": versions.0 }),
                    json!({ "version": versions.1 }),
                )
            }
            Word::Key { .. } => (Value::Null, Value::Null),
        };
        json!({
            "project": self.project(),
            "root": root,
            "keys": keys,
            "signer": self.signer(),
            "log": self.head.as_ref().map(|(head, _)| {
                json!({ "origin": head.origin, "size": head.size, "root": head.root })
            }),
            "warning": self.is_development().then_some(ANYONE_CAN_SIGN),
        })
    }
}
