//! What both verbs take: a network, as a person chose it.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use chrysalis_attestation::release::{MAX_ENVELOPE, PublicKey};
use chrysalis_image::publish::{development, read_public};
use chrysalis_network::Signers;
use clap::Args;

/// Which network it is, and whose word that is.
#[derive(Debug, Args)]
pub(crate) struct NetworkOptions {
    /// A key that signs the network's descriptor; may be repeated
    #[arg(long = "network-key", value_name = "FILE", required = true)]
    pub(crate) keys: Vec<PathBuf>,
    /// How many of these keys have to sign; all of them by default
    #[arg(long = "network-at-least", value_name = "N")]
    pub(crate) at_least: Option<usize>,
    /// Accept the development key among them, whose private half is public: it vouches for nothing
    #[arg(long)]
    pub(crate) development_root: bool,
}

impl NetworkOptions {
    pub(crate) fn signers(&self) -> Result<Signers> {
        let read = |path: &PathBuf| Ok(read_public(path, development(self.development_root))?);
        let keys: Vec<PublicKey> = self.keys.iter().map(read).collect::<Result<_>>()?;
        let count = keys.len();
        Signers::of(keys, self.at_least).with_context(|| {
            format!(
                "--network-at-least {} with {count} keys\nhint: ask for at least one, and at most as many as you name with --network-key",
                self.at_least.unwrap_or_default()
            )
        })
    }
}

/// A file's bytes.
pub(crate) fn read(path: &Path, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() > most {
        bail!("{} has more than {most} bytes", path.display());
    }
    Ok(bytes)
}

/// The most bytes of a descriptor in its envelope.
pub(crate) const MAX_NETWORK: usize = MAX_ENVELOPE;

/// A refusal, with its code and what to do.
pub(crate) fn refused(rejection: &chrysalis_network::Rejection) -> anyhow::Error {
    anyhow!(
        "{rejection} ({})\nhint: {}",
        rejection.code(),
        rejection.hint()
    )
}
