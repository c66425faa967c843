//! The network's descriptor: what a person chooses when they choose a network. TOML in a DSSE envelope, signed by several keys; each client
//! names the keys, and how many of them have to sign.
//!
//! ```toml
//! name = "network.example"
//! version = 3
//! expires = "2027-06-01T00:00:00Z"
//! policy = "<SHA-256 of a policy file, which directories serve>"
//!
//! [chain]
//! symbol = "GRAM"
//! global_id = -239
//! purse = "<hash of the purse's code>"
//!
//! [[directory]]
//! url = "https://directory.example"
//! key = "<Ed25519 key of its log>"
//!
//! [[class]]
//! name = "smollm2-135m-instruct"
//! weights = "<SHA-256>"
//! ```

use std::collections::BTreeSet;

use chrysalis_attestation::{
    Time,
    encoding::digest::{Hex, sha256},
    evidence::{binding::label, claims::is_name},
    release::{Envelope, PublicKey, is_project},
};
use serde::Deserialize;

use crate::Rejection;

/// The payload type of a descriptor.
pub const NETWORK: &str = "application/vnd.chrysalis.network+toml";
/// The most bytes of a descriptor, without its envelope.
pub const MAX_DESCRIPTOR: usize = 256 * 1024;
/// The most directories.
const MAX_DIRECTORIES: usize = 16;
/// The most classes.
const MAX_CLASSES: usize = 1024;
/// The most letters of a coin's symbol.
const MAX_SYMBOL: usize = 16;
/// The most bytes of a directory's address.
const MAX_URL: usize = 255;

/// Who may sign a network's descriptor, and how many of them must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    /// The keys that count; one that is there twice counts once.
    pub keys: Vec<PublicKey>,
    /// How many of them have to sign: at least one.
    pub at_least: usize,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// Its name, for good.
    pub name: String,
    /// Grows with each change.
    pub version: u64,
    /// From this time on it describes nothing.
    pub expires: Time,
    /// SHA-256 of the policy file under which the network's enclaves are trusted.
    pub policy: Hex<32>,
    /// Where it is paid.
    pub chain: Chain,
    /// Who lists its providers.
    #[serde(rename = "directory")]
    pub directories: Vec<Directory>,
    /// The models that it has.
    #[serde(rename = "class")]
    pub classes: Vec<Class>,
}

/// The chain that a network is paid on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// What wallets call the coin.
    #[serde(default = "gram")]
    pub symbol: String,
    /// The chain's global id.
    pub global_id: i32,
    /// The hash of the purse's code: a purse with other code is none.
    pub purse: Hex<32>,
}

fn gram() -> String {
    "GRAM".to_owned()
}

/// Somebody who publishes what providers list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Where: `https://HOST[:PORT]`, or `http://` on this machine.
    pub url: String,
    /// The Ed25519 key of its log.
    pub key: Hex<32>,
}

impl Directory {
    /// The name of its log: its address without the scheme.
    pub fn origin(&self) -> &str {
        self.url.split_once("://").map_or("", |(_, rest)| rest)
    }
}

/// A model: whatever has these weights is the same.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// What requests call it.
    pub name: String,
    /// SHA-256 of the weights, as claims have it.
    pub weights: Hex<32>,
}

impl Descriptor {
    /// The envelope of a descriptor as a person wrote it, not signed yet. What [`Self::verify`] would refuse, it refuses.
    pub fn envelope(toml: Vec<u8>) -> Result<Envelope, Rejection> {
        Self::read(&toml)?;
        Ok(Envelope::of(NETWORK, toml))
    }

    /// Reads a descriptor that enough of the signers have signed and that is not over. `seen` says which version is the newest that this
    /// reader has had under a name, with the SHA-256 of its payload; the new one comes back beside the descriptor.
    pub fn verify(
        envelope: &[u8],
        signers: &Signers,
        now: Time,
        seen: impl FnOnce(&str) -> Option<(u64, Hex<32>)>,
    ) -> Result<(Self, Hex<32>), Rejection> {
        let envelope = Envelope::parse(envelope)?;
        let payload = signers.payload(&envelope)?;
        let descriptor = Self::read(payload)?;
        if now >= descriptor.expires {
            return Err(Rejection::DescriptorExpired {
                until: descriptor.expires,
            });
        }
        let digest = Hex(sha256(&[payload]));
        match seen(&descriptor.name) {
            Some((version, _)) if descriptor.version < version => {
                Err(Rejection::DescriptorRolledBack {
                    found: descriptor.version,
                    seen: version,
                })
            }
            Some((version, seen)) if descriptor.version == version && seen != digest => {
                Err(Rejection::DescriptorVersionReused { version })
            }
            _ => Ok((descriptor, digest)),
        }
    }

    fn read(toml: &[u8]) -> Result<Self, Rejection> {
        if toml.len() > MAX_DESCRIPTOR {
            return Err(malformed(&"it is too long"));
        }
        let text = std::str::from_utf8(toml).map_err(|error| malformed(&error))?;
        let descriptor: Self = toml::from_str(text).map_err(|error| malformed(&error.message()))?;
        descriptor.check_sense()?;
        Ok(descriptor)
    }

    /// What listings call the network: `SHA-256(label("chrysalis/network/v1") ‖ name)`.
    pub fn id(&self) -> [u8; 32] {
        sha256(&[&label("chrysalis/network/v1"), self.name.as_bytes()])
    }

    /// The class of these weights.
    pub fn class_of(&self, weights: &[u8; 32]) -> Option<&Class> {
        self.classes
            .iter()
            .find(|class| class.weights.0 == *weights)
    }

    /// The class of this name.
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }

    fn check_sense(&self) -> Result<(), Rejection> {
        let mut names = BTreeSet::new();
        let mut weights = BTreeSet::new();
        let mut keys = BTreeSet::new();
        let mut directories = self.directories.iter();
        let what = if !is_project(&self.name) {
            "its name is not lower-case letters, digits, `.`, `-` and `/`"
        } else if self.version == 0 {
            "its version is 0"
        } else if self.chain.symbol.len() > MAX_SYMBOL || !is_name(&self.chain.symbol) {
            "the chain's symbol is no short word"
        } else if !(1..=MAX_DIRECTORIES).contains(&self.directories.len()) {
            "it names no directory, or too many"
        } else if !(1..=MAX_CLASSES).contains(&self.classes.len()) {
            "it has no class, or too many"
        } else if !directories.all(|it| is_url(&it.url) && keys.insert(it.key.0)) {
            "a directory's address is not http(s)://HOST[:PORT], or two have one key"
        } else if !self
            .classes
            .iter()
            .all(|it| is_name(&it.name) && names.insert(&it.name))
        {
            "a class's name is no word, or there twice"
        } else if !self.classes.iter().all(|it| weights.insert(it.weights.0)) {
            "two classes have the same weights"
        } else {
            return Ok(());
        };
        Err(malformed(&what))
    }
}

impl Signers {
    /// These keys, of which so many have to sign; without a number, all of them. `None`: that is not one at least and all at most.
    pub fn of(keys: Vec<PublicKey>, at_least: Option<usize>) -> Option<Self> {
        let at_least = at_least.unwrap_or(keys.len());
        let signers = Self { keys, at_least };
        (1..=signers.keys.len())
            .contains(&at_least)
            .then_some(signers)
    }

    /// The payload of an envelope that enough of them signed.
    fn payload<'a>(&self, envelope: &'a Envelope) -> Result<&'a [u8], Rejection> {
        let keys: BTreeSet<_> = self.keys.iter().map(PublicKey::spki).collect();
        let wanted = self.at_least.max(1);
        let mut payload = None;
        let mut found = 0;
        for key in keys {
            let key = self.keys.iter().find(|it| it.spki() == key);
            if let Some(Ok(signed)) = key.map(|key| envelope.payload_of(NETWORK, key)) {
                payload = Some(signed);
                found += 1;
            }
        }
        payload
            .filter(|_| found >= wanted)
            .ok_or(Rejection::DescriptorSigners { found, wanted })
    }
}

fn malformed(what: &dyn ToString) -> Rejection {
    Rejection::DescriptorMalformed {
        what: what.to_string(),
    }
}

/// `http(s)://` and an authority, which whoever connects parses; nothing after it.
fn is_url(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    rest.is_some_and(|rest| !rest.is_empty() && url.len() <= MAX_URL && rest.bytes().all(plain))
}
