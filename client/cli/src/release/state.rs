//! The high-water mark: the newest release of each key and the newest head of each log that this user has seen, in a small file.
//!
//! It only ever moves ahead. A file that cannot be read is never replaced: whoever could make a client forget could roll it back.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::ErrorKind,
    path::PathBuf,
};

use anyhow::{Context, bail};
use chrysalis_attestation::{
    digest::Hex,
    release::{Head, KeyId, Seen},
};
use serde::{Deserialize, Serialize};

use crate::files::{read, write_whole};

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
    release: BTreeMap<String, SeenRelease>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    log: BTreeMap<String, SeenHead>,
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

impl State {
    /// Opens the file of this user, `$XDG_STATE_HOME/chrysalis/releases.toml`.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let home = |name, below: &str| {
            let value = env::var_os(name).filter(|value| !value.is_empty())?;
            Some(PathBuf::from(value).join(below))
        };
        let folder = home("XDG_STATE_HOME", "chrysalis")
            .or_else(|| home("HOME", ".local/state/chrysalis"))
            .context("no place to remember releases in; set XDG_STATE_HOME or HOME")?;
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
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

    /// The newest release of a key.
    pub(crate) fn release(&self, key: &KeyId) -> Option<Seen> {
        let seen = self.seen.release.get(&key.to_string())?;
        Some(Seen {
            epoch: seen.epoch,
            payload: seen.payload,
        })
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

    /// Remembers a release that was verified against what was remembered before.
    pub(crate) fn remember_release(&mut self, key: &KeyId, Seen { epoch, payload }: Seen) {
        let seen = SeenRelease { epoch, payload };
        self.seen.release.insert(key.to_string(), seen);
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
