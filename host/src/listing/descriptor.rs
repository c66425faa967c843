//! The network that a provider chose: its descriptor, signed by the keys that they named, and never an older one than this folder has seen.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context, anyhow, ensure};
use chrysalis_attestation::{
    Time,
    encoding::digest::Hex,
    release::{Development, MAX_ENVELOPE, PublicKey},
};
use chrysalis_collateral::{Ask, Http};
use chrysalis_network::{Descriptor, Rejection, Signers};
use serde::{Deserialize, Serialize};

use super::options::NetworkOptions;

/// Which descriptors were seen, in the state folder.
pub(super) const SEEN: &str = "networks.json";
/// How long a descriptor may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The newest descriptor of a network that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    version: u64,
    sha256: Hex<32>,
}

/// Reads it, checks who signed it, and remembers it in the file at this path.
pub(super) fn read(
    options: &NetworkOptions,
    source: &str,
    path: &Path,
    http: &Http,
    now: Time,
) -> anyhow::Result<Descriptor> {
    let signers = signers(options)?;
    let envelope = envelope(source, http)?;
    let refused =
        |rejection: Rejection| anyhow!("{source}: {rejection}\nhint: {}", rejection.hint());
    let mut all = seen(path)?;
    let before = |name: &str| all.get(name).map(|before| (before.version, before.sha256));
    let (found, sha256) = Descriptor::verify(&envelope, &signers, now, before).map_err(refused)?;
    let newest = Seen {
        version: found.version,
        sha256,
    };
    if all.insert(found.name.clone(), newest) != Some(newest) {
        keep(path, &all)?;
    }
    for directory in &found.directories {
        ensure!(
            options.allow_private || is_private_way(&directory.url),
            "the directory {} is asked without TLS\nhint: ask whoever runs the network for one with https; in a network of your own, use \
             --allow-private",
            directory.url
        );
    }
    Ok(found)
}

fn signers(options: &NetworkOptions) -> anyhow::Result<Signers> {
    let read = |path: &std::path::PathBuf| {
        let shown = path.display();
        let file = fs::read(path).map_err(|error| {
            anyhow!("cannot read the network's key {shown}: {error}\nhint: get it from whoever runs the network")
        })?;
        PublicKey::read_with(&file, Development::Refused)
            .map_err(|rejection| anyhow!("{shown}: {rejection}\nhint: {}", rejection.hint()))
    };
    let keys: Vec<_> = options
        .network_keys
        .iter()
        .map(read)
        .collect::<anyhow::Result<_>>()?;
    let count = keys.len();
    Signers::of(keys, options.network_at_least).with_context(|| {
        format!(
            "--network-at-least {} is not 1 to {count}, the number of keys that are named\nhint: name more keys with --network-key",
            options.network_at_least.unwrap_or_default()
        )
    })
}

fn envelope(source: &str, http: &Http) -> anyhow::Result<Vec<u8>> {
    let hint = "hint: give a file, or an address such as https://directory.example/network";
    if !source.contains("://") {
        let length = fs::metadata(source).map(|found| found.len());
        let file = length.and_then(|length| match length {
            length if length > MAX_ENVELOPE as u64 => Ok(vec![0; MAX_ENVELOPE + 1]),
            _ => fs::read(source),
        });
        return file
            .map_err(|error| anyhow!("cannot read the descriptor {source}: {error}\n{hint}"));
    }
    // Whoever carries it can change nothing: it is signed.
    let said = http
        .exchange(source, Ask::Get, PATIENCE)
        .map_err(|why| anyhow!("cannot get the descriptor {source}: {why}\n{hint}"))?;
    ensure!(
        said.status == 200,
        "cannot get the descriptor {source}: it answered {}\n{hint}",
        said.status
    );
    Ok(said.body)
}

fn seen(path: &Path) -> anyhow::Result<BTreeMap<String, Seen>> {
    match fs::read(path) {
        Ok(file) => serde_json::from_slice(&file).with_context(|| {
            format!(
                "{} does not say which descriptors were seen\nhint: delete it, and the next descriptor is taken as the newest",
                path.display()
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn keep(path: &Path, all: &BTreeMap<String, Seen>) -> anyhow::Result<()> {
    let draft = path.with_extension("json.new");
    let written = fs::write(&draft, serde_json::to_vec_pretty(all)?);
    written
        .and_then(|()| fs::rename(&draft, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Whether nobody on the way can read or change what is said: by TLS, or because it stays on this machine.
fn is_private_way(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else {
        return true;
    };
    let host = match rest.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => rest.split(':').next(),
    };
    matches!(host, Some("localhost" | "127.0.0.1" | "::1"))
}
