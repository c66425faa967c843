//! A purse's folder: what it is made of, its owner's key, and a key for each lane.
//!
//! `owner.pem` can move all that is in the purse, and is encrypted unless somebody says otherwise. `lanes/NUMBER.pem` can spend one lane,
//! for its provider alone, and is open, because the proxy reads it at each start. Keys are made with mode 0600, never replaced and never
//! printed.

use std::{
    env, fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use chrysalis_attestation::release::Development;
use chrysalis_chain::{Address, Toncenter, address, purse::Keys, server};
use chrysalis_client::Lane;
use chrysalis_image::publish::{Passphrase, SigningKey};
use chrysalis_settle::Sign;
use serde::{Deserialize, Serialize};

use super::options::Which;
use crate::files::{read, write_whole};

/// The most bytes of `purse.toml`.
const MAX_FILE: usize = 16 * 1024;
/// The file that says what a purse is made of.
const PURSE: &str = "purse.toml";

/// `purse.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Ed25519, hexadecimal.
    owner: String,
    home: String,
    network: i32,
    salt: u64,
    chain: String,
}

/// The folder of one purse.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
    keys: Keys,
    /// Where its chain is asked.
    chain: String,
}

/// An Ed25519 key in a file.
struct Key(SigningKey);

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).ok()?.try_into().ok()
    }
}

fn default_path() -> anyhow::Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let config = set("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
    let config = config.context("no place for a purse\nhint: name a folder with --purse")?;
    Ok(config.join("chrysalis/purse"))
}

impl Which {
    /// Its folder's path.
    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        self.purse.clone().map_or_else(default_path, Ok)
    }

    /// The folder.
    pub(crate) fn open(&self) -> anyhow::Result<Folder> {
        Folder::open(self.path()?)
    }
}

impl Folder {
    /// A new one.
    pub(super) fn make(path: PathBuf, keys: Keys, chain: String) -> anyhow::Result<Self> {
        let written = Written {
            owner: hex::encode(keys.owner),
            home: address::friendly(&keys.home),
            network: keys.network,
            salt: keys.salt,
            chain: chain.clone(),
        };
        write_whole(&path.join(PURSE), toml::to_string(&written)?.as_bytes())?;
        Ok(Self { path, keys, chain })
    }

    fn open(path: PathBuf) -> anyhow::Result<Self> {
        let file = path.join(PURSE);
        if !file.exists() {
            bail!(
                "there is no purse in {}\nhint: make one with `chrysalis pay init`, or name its folder with --purse",
                path.display()
            );
        }
        let text = String::from_utf8(read(&file, MAX_FILE)?);
        let written: Written = toml::from_str(&text.unwrap_or_default()).with_context(|| {
            format!("{} is not as `chrysalis pay init` wrote it", file.display())
        })?;
        let owner = hex::decode(&written.owner).ok();
        let owner = owner.and_then(|owner| owner.try_into().ok());
        let (Some(owner), Some(home)) = (owner, address::parse(&written.home)) else {
            bail!(
                "{}: owner or home is not as `chrysalis pay init` wrote it",
                file.display()
            );
        };
        Ok(Self {
            path,
            keys: Keys {
                owner,
                home,
                network: written.network,
                salt: written.salt,
            },
            chain: written.chain,
        })
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn address(&self) -> Address {
        self.keys.address()
    }

    /// Its chain, asked with the key in this file if there is one.
    pub(super) fn chain(&self, key: Option<&Path>) -> anyhow::Result<Toncenter> {
        Ok(server::open(&self.chain, key)?)
    }

    /// Signs with the owner's key.
    pub(super) fn owner(
        &self,
        passphrase_file: Option<&Path>,
    ) -> anyhow::Result<impl Sign + use<>> {
        let key = SigningKey::read(
            &owner_path(&self.path),
            &Passphrase::from(passphrase_file),
            Development::Refused,
        )?;
        if public(&key)? != self.keys.owner {
            bail!(
                "{} is not the key of this purse\nhint: take the owner.pem that belongs to its purse.toml from your copy",
                key.path().display()
            );
        }
        Ok(Key(key))
    }

    /// Makes a lane's key before the lane has a number. Its public half.
    pub(super) fn new_lane(&self) -> anyhow::Result<(PathBuf, [u8; 32])> {
        let folder = self.path.join("lanes");
        private_folder(&folder)?;
        // One that was left when a lane was not locked after all is used now.
        if let Some(left) = self.unnumbered()? {
            return Ok(left);
        }
        let path = folder.join("next.pem");
        let key = SigningKey::make_open(&path)?;
        Ok((path, public(&key)?))
    }

    /// A key whose lane has no number yet, as far as was seen.
    pub(super) fn unnumbered(&self) -> anyhow::Result<Option<(PathBuf, [u8; 32])>> {
        let path = self.path.join("lanes/next.pem");
        if !path.exists() {
            return Ok(None);
        }
        let key = SigningKey::read(&path, &Passphrase::Terminal, Development::Refused)?;
        Ok(Some((path, public(&key)?)))
    }

    /// Names a lane's key by its number, now that it has one.
    pub(super) fn number_lane(&self, path: &Path, lane: u32) -> anyhow::Result<()> {
        let to = self.lane_path(lane);
        if to.exists() {
            bail!("{} is there already", to.display());
        }
        fs::rename(path, &to)
            .with_context(|| format!("cannot rename {} to {}", path.display(), to.display()))
    }

    fn lane_path(&self, lane: u32) -> PathBuf {
        self.path.join(format!("lanes/{lane}.pem"))
    }

    /// The public half of a lane's key.
    pub(super) fn lane_key(&self, lane: u32) -> anyhow::Result<[u8; 32]> {
        public(&self.read_lane(lane)?)
    }

    /// A lane, to pay from.
    pub(crate) fn lane(&self, lane: u32) -> anyhow::Result<Lane> {
        Ok(Lane {
            purse: self.address().address.0,
            number: lane,
            key: Box::new(Key(self.read_lane(lane)?)),
        })
    }

    fn read_lane(&self, lane: u32) -> anyhow::Result<SigningKey> {
        let path = self.lane_path(lane);
        if !path.exists() {
            bail!(
                "the key of lane {lane} is not in {}\nhint: `chrysalis pay status` shows which lanes there are",
                path.display()
            );
        }
        Ok(SigningKey::read(
            &path,
            &Passphrase::Terminal,
            Development::Refused,
        )?)
    }
}

/// Where a purse's owner's key is.
pub(super) fn owner_path(folder: &Path) -> PathBuf {
    folder.join("owner.pem")
}

/// A folder that others cannot look into.
pub(super) fn private_folder(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the folder {}", path.display()))
}

/// The public half of an Ed25519 key.
pub(super) fn public(key: &SigningKey) -> anyhow::Result<[u8; 32]> {
    let raw = key.public().ed25519().copied();
    raw.with_context(|| format!("{} is not an Ed25519 key", key.path().display()))
}
