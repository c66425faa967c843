//! The folder that a publisher serves: root statements, the key statement, manifests and the log.
//!
//! ```text
//! 1.root.json, 2.root.json, …   every root statement, by its version
//! keys.json                     the newest key statement
//! log/                          the transparency log that has all of them
//! ```

use std::{fs, io, path::PathBuf};

use chrysalis_attestation::{
    Rejection, Time,
    release::{
        Development, KeyId, KeyStatement, MAX_ENVELOPE, RevokedKey, Root, RootStatement,
        VouchedKey, is_project,
    },
};

use super::{
    error::Error,
    files::{if_there, read, write},
    key::{SigningKey, development},
};

const KEYS: &str = "keys.json";
const LOG: &str = "log";
/// The most root statements that are looked for. A root a month for eighty years.
const MAX_ROOTS: u64 = 1000;
/// This repository's own releases, which stand under the development root, and manifests that name no project.
pub const PROJECT: &str = "chrysalis";

/// The folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication(PathBuf);

/// From when until when a statement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it is signed.
    pub issued: Time,
    /// From then on it counts no more.
    pub expires: Time,
}

impl Publication {
    /// A folder, there or not.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Where the root statement of a version is.
    pub fn root_path(&self, version: u64) -> PathBuf {
        self.0.join(format!("{version}.root.json"))
    }

    /// Where the newest key statement is.
    pub fn keys_path(&self) -> PathBuf {
        self.0.join(KEYS)
    }

    /// Where the log is.
    pub fn log_path(&self) -> PathBuf {
        self.0.join(LOG)
    }

    /// The root statements of every version after this one, as far as they follow without a gap.
    pub fn roots_after(&self, version: u64) -> Result<Vec<Vec<u8>>, Error> {
        let mut roots = Vec::new();
        for version in (1..=MAX_ROOTS).map(|step| version.saturating_add(step)) {
            match if_there(&self.root_path(version), MAX_ENVELOPE)? {
                Some(root) => roots.push(root),
                None => break,
            }
        }
        Ok(roots)
    }

    /// The newest key statement, which must be there.
    pub fn keys(&self) -> Result<Vec<u8>, Error> {
        read(&self.keys_path(), MAX_ENVELOPE)
    }

    /// Makes the first root statement, of version 1; of a higher one where it takes the place of a root that was lost.
    pub fn first_root(
        &self,
        project: &str,
        version: u64,
        span: Span,
        key: &SigningKey,
    ) -> Result<PathBuf, Error> {
        if !is_project(project) {
            return Err(Error::Name(project.to_owned()));
        }
        let development = key.public().is_development();
        if project == PROJECT && !development {
            return Err(Error::Taken);
        }
        if self.newest()?.is_some_and(|newest| newest >= version) {
            return Err(Error::Rooted(self.0.clone()));
        }
        let envelope = statement(project, version, span, key).envelope();
        let sealed = key.seal(envelope)?;
        let path = self.root_path(version);
        let accepted = accepting(key);
        Root::named(sealed.as_bytes(), accepted).map_err(Error::refused(&path))?;
        write(&path, sealed.as_bytes())?;
        Ok(path)
    }

    /// Makes the next root statement, signed by the old root's key and the new one's; both may be one key, which then is renewed.
    pub fn next_root(
        &self,
        span: Span,
        old: &SigningKey,
        new: &SigningKey,
    ) -> Result<PathBuf, Error> {
        let (root, _) = self.root(old)?;
        let RootStatement {
            project, version, ..
        } = root.statement();
        let version = version + 1;
        let envelope = statement(project, version, span, new).envelope();
        let mut envelope = new.signed(envelope)?;
        if old.public() != new.public() {
            envelope = old.signed(envelope)?;
        }
        let sealed = envelope.to_json();
        let path = self.root_path(version);
        let followed = root.followed_by(sealed.as_bytes());
        followed.map_err(Error::refused(&path))?;
        write(&path, sealed.as_bytes())?;
        Ok(path)
    }

    /// Makes the next key statement, with these keys added to those that still count. One that is there already gets its new span.
    pub fn vouch(
        &self,
        span: Span,
        root: &SigningKey,
        keys: Vec<VouchedKey>,
    ) -> Result<KeyStatement, Error> {
        self.restate(span, root, |next| {
            next.keys.retain(|old| {
                let renewed = |new: &VouchedKey| (new.role, &new.key) == (old.role, &old.key);
                old.expires > span.issued && !keys.iter().any(renewed)
            });
            next.keys.extend(keys);
            Ok(())
        })
    }

    /// Makes the next key statement, which takes a key back.
    pub fn revoke(
        &self,
        span: Span,
        root: &SigningKey,
        key: KeyId,
        why: &str,
    ) -> Result<KeyStatement, Error> {
        self.restate(span, root, |next| {
            let listed = next.keys.iter().any(|it| it.key.id() == key);
            let revoked = next.revoked.iter().any(|it| it.key == key);
            if !listed && !revoked {
                return Err(Error::Unlisted {
                    path: self.0.clone(),
                    key: key.to_string(),
                });
            }
            if !revoked {
                next.revoked.push(RevokedKey {
                    key,
                    since: span.issued,
                    why: why.to_owned(),
                });
            }
            Ok(())
        })
    }

    fn restate(
        &self,
        span: Span,
        key: &SigningKey,
        change: impl FnOnce(&mut KeyStatement) -> Result<(), Error>,
    ) -> Result<KeyStatement, Error> {
        let (root, before) = self.root(key)?;
        let path = self.keys_path();
        let old = match if_there(&path, MAX_ENVELOPE)? {
            None => None,
            Some(old) => {
                Some(signed_by_one_of(&old, &root, &before).map_err(Error::refused(&path))?)
            }
        };
        let mut next = old.unwrap_or_else(|| KeyStatement {
            project: root.statement().project.clone(),
            version: 0,
            issued: span.issued,
            expires: span.expires,
            keys: Vec::new(),
            revoked: Vec::new(),
        });
        next.version += 1;
        next.issued = span.issued;
        next.expires = span.expires;
        change(&mut next)?;
        let sealed = key.seal(next.envelope())?;
        let said = KeyStatement::signed(sealed.as_bytes(), &root).map_err(Error::refused(&path))?;
        write(&path, sealed.as_bytes())?;
        Ok(said)
    }

    /// The newest root, which must be this key's, and those before it.
    fn root(&self, key: &SigningKey) -> Result<(Root, Vec<Root>), Error> {
        let newest = self
            .newest()?
            .ok_or_else(|| Error::NoRoot(self.0.clone()))?;
        // A root that was begun anew stands above a gap.
        let mut first = newest;
        while first > 1 && self.root_path(first - 1).exists() {
            first -= 1;
        }
        let path = self.root_path(first);
        let statement = read(&path, MAX_ENVELOPE)?;
        let mut root = Root::named(&statement, accepting(key)).map_err(Error::refused(&path))?;
        let mut before = Vec::new();
        for next in self.roots_after(first)? {
            let path = self.root_path(root.statement().version + 1);
            let followed = root.followed_by(&next).map_err(Error::refused(path))?;
            before.push(std::mem::replace(&mut root, followed));
        }
        if root.statement().key == *key.public() {
            Ok((root, before))
        } else {
            Err(Error::NotTheRoot {
                path: key.path().to_owned(),
                version: newest,
            })
        }
    }

    fn newest(&self) -> Result<Option<u64>, Error> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(Error::io("read", &self.0))?,
        };
        let mut newest = None;
        for entry in entries {
            let name = entry.map_err(Error::io("read", &self.0))?.file_name();
            let name = name.to_string_lossy();
            let version = name
                .strip_suffix(".root.json")
                .and_then(|it| it.parse().ok());
            newest = newest.max(version);
        }
        Ok(newest)
    }
}

fn statement(project: &str, version: u64, span: Span, key: &SigningKey) -> RootStatement {
    RootStatement {
        project: project.to_owned(),
        version,
        issued: span.issued,
        expires: span.expires,
        key: key.public().clone(),
    }
}

/// A key that could be read was named already.
fn accepting(key: &SigningKey) -> Development {
    development(key.public().is_development())
}

/// A key statement outlives the root that signed it by one: the next root says it anew.
fn signed_by_one_of(
    statement: &[u8],
    root: &Root,
    before: &[Root],
) -> Result<KeyStatement, Rejection> {
    let newest = KeyStatement::signed(statement, root);
    let earlier = before.iter().rev();
    newest.or_else(|refused| {
        let mut read = earlier.filter_map(|root| KeyStatement::signed(statement, root).ok());
        read.next().ok_or(refused)
    })
}
