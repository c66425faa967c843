//! The high-water mark: the newest release and the newest key statements of each project, the newest head of each log, and the newest
//! descriptor of each network, that this user has seen, in a small file.
//!
//! v0.1.3 and before remembered a release by the key that signed it. Such lines stay, and count for the project whose key that is.
//! It only ever moves ahead. A file that cannot be read is never replaced: an attacker who could make a client forget could roll it back.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::ErrorKind,
    path::PathBuf,
};

use anyhow::{Context, bail};
use chrysalis_attestation::{
    encoding::digest::Hex,
    release::{Head, KeyId, Seen, SeenKeys, SeenVersion},
};
use chrysalis_image::publish::PROJECT;
use serde::{Deserialize, Serialize};

use crate::files::{read, write_whole};

/// The keys that signed v0.1.0 to v0.1.3, each without a word on the others.
const FIRST_KEYS: [&str; 3] = [
    "303729bec9e2fd70aa086ff67126d0219c7303baaca2a4a0216795f563880569",
    "e058e7231c98b68a37e29ffde6175aa72ec342fa6255f1284406031751871e4f",
    "bad6d7d957f5363012f088c098ce1f0aecb57383f2d174c5ebc3246df5d0b012",
];
/// A thousand keys.
const MAX_FILE: usize = 256 * 1024;

/// The file, held for one program at a time until it is dropped.
pub(crate) struct State {
    path: PathBuf,
    seen: Everything,
    _held: File,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Everything {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    project: BTreeMap<String, SeenProject>,
    /// By key, as v0.1.3 and before wrote it. Nothing is added here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    release: BTreeMap<String, SeenRelease>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    log: BTreeMap<String, SeenHead>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    network: BTreeMap<String, SeenStatement>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenProject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    release: Option<SeenRelease>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<SeenStatement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<SeenStatement>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenStatement {
    version: u64,
    payload: Hex<32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenRelease {
    epoch: u64,
    payload: Hex<32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenHead {
    origin: String,
    size: u64,
    root: Hex<32>,
}

/// Where this user's programs remember what they saw: `$XDG_STATE_HOME/chrysalis`.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    let home = |name, below: &str| {
        let value = env::var_os(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value).join(below))
    };
    let folder = home("XDG_STATE_HOME", "chrysalis")
        .or_else(|| home("HOME", ".local/state/chrysalis"))
        .context("no place to remember releases in; set XDG_STATE_HOME or HOME")?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

impl State {
    /// Opens the file of this user, `$XDG_STATE_HOME/chrysalis/releases.toml`.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let folder = folder()?;
        let lock = folder.join("releases.lock");
        let held = File::create(&lock)
            .and_then(|file| file.lock().map(|()| file))
            .with_context(|| format!("cannot lock {}", lock.display()))?;
        let path = folder.join("releases.toml");
        let seen = match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Everything::default(),
            _ => {
                let text = String::from_utf8(read(&path, MAX_FILE)?).ok();
                let seen = text.as_deref().map(toml::from_str);
                match seen {
                    Some(Ok(seen)) => seen,
                    _ => bail!(
                        "{} cannot be read; it says which releases were seen, so mend or restore it rather than removing it",
                        path.display()
                    ),
                }
            }
        };
        Ok(Self {
            path,
            seen,
            _held: held,
        })
    }

    /// The newest release of a project: as it was remembered by name, or before that by one of these keys.
    pub(crate) fn release(&self, project: &str, keys: &[KeyId]) -> Option<Seen> {
        let named = self.seen.project.get(project);
        let named = named.and_then(|it| it.release.as_ref());
        let firsts = FIRST_KEYS.iter().map(|key| (*key).to_owned());
        let firsts = firsts.filter(|_| project == PROJECT);
        let keys = keys.iter().map(ToString::to_string).chain(firsts);
        let by_key = keys.filter_map(|key| self.seen.release.get(&key));
        // Of equals the last one counts: that of the project.
        let newest = by_key.chain(named).max_by_key(|seen| seen.epoch)?;
        Some(Seen {
            epoch: newest.epoch,
            payload: newest.payload,
        })
    }

    /// The newest statements of a project.
    pub(crate) fn keys(&self, project: &str) -> SeenKeys {
        let seen = |it: &Option<SeenStatement>| {
            it.as_ref().map(|it| SeenVersion {
                version: it.version,
                payload: it.payload,
            })
        };
        let found = self.seen.project.get(project);
        SeenKeys {
            root: found.and_then(|it| seen(&it.root)),
            keys: found.and_then(|it| seen(&it.keys)),
        }
    }

    /// The newest head of a log's key.
    pub(crate) fn head(&self, key: &KeyId) -> Option<Head> {
        let seen = self.seen.log.get(&key.to_string())?;
        Some(Head {
            origin: seen.origin.clone(),
            size: seen.size,
            root: seen.root,
        })
    }

    /// The newest version of a network's descriptor, and its digest.
    pub(crate) fn network(&self, name: &str) -> Option<(u64, Hex<32>)> {
        let seen = self.seen.network.get(name)?;
        Some((seen.version, seen.payload))
    }

    /// Remembers a descriptor that was verified against what was remembered before.
    pub(crate) fn remember_network(&mut self, name: &str, version: u64, payload: Hex<32>) {
        let seen = SeenStatement { version, payload };
        self.seen.network.insert(name.to_owned(), seen);
    }

    /// Remembers a release that was verified against what was remembered before.
    pub(crate) fn remember_release(&mut self, project: &str, Seen { epoch, payload }: Seen) {
        let seen = SeenRelease { epoch, payload };
        self.project(project).release = Some(seen);
    }

    /// Remembers statements that were verified against what was remembered before.
    pub(crate) fn remember_keys(&mut self, project: &str, SeenKeys { root, keys }: SeenKeys) {
        let seen = |it: SeenVersion| SeenStatement {
            version: it.version,
            payload: it.payload,
        };
        let project = self.project(project);
        project.root = root.map(seen);
        project.keys = keys.map(seen);
    }

    fn project(&mut self, name: &str) -> &mut SeenProject {
        self.seen.project.entry(name.to_owned()).or_default()
    }

    /// Remembers a head that was verified against what was remembered before.
    pub(crate) fn remember_head(&mut self, key: &KeyId, head: Head) {
        let Head { origin, size, root } = head;
        let seen = SeenHead { origin, size, root };
        self.seen.log.insert(key.to_string(), seen);
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn save(self) -> anyhow::Result<()> {
        let text = toml::to_string(&self.seen).context("what was seen cannot be written")?;
        write_whole(&self.path, text.as_bytes())
    }
}
