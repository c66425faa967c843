//! A network's descriptor, verified; its policy; and what its directories list.

use std::{path::Path, sync::Arc};

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    encoding::digest::{Hex, sha256},
    policy::Policy,
    release::{Development, MAX_ENVELOPE},
};
use chrysalis_client::{
    Error, RelyingParty,
    network::{Directories, Source, Web},
    system_time,
};
use chrysalis_network::{Descriptor, Signers};
use chrysalis_verifier::MAX_POLICY;

use super::options::Named;
use crate::{
    files::{self, read, write_whole},
    judge,
    keys::read_public,
    options::Judging,
    progress::during,
    seen::{self, State},
};

/// A network that was named, and who asks its directories.
pub(crate) struct Opened {
    pub(crate) descriptor: Descriptor,
    web: Web,
}

impl Opened {
    /// Reads the descriptor, and remembers its version. A refusal of the descriptor is the client's [`Error`].
    pub(crate) async fn of(which: &Named) -> anyhow::Result<Self> {
        let named = which.network.as_deref();
        let named = named.context("no network\nhint: name its descriptor with --network, and who signs it with --network-key")?;
        let web = Web::new(&which.dial())?;
        let envelope = if named.contains("://") {
            let asked = web.get(named, MAX_ENVELOPE, None);
            let got = during("fetching the network's descriptor", asked).await;
            got.and_then(chrysalis_client::network::Fetched::body)
                .map_err(|trouble| anyhow!("{named}: {trouble} ({})", trouble.code()))?
        } else {
            read(Path::new(named), MAX_ENVELOPE)?
        };
        let keys = which.network_keys.iter();
        let keys = keys.map(|path| read_public(path, Development::Refused));
        let keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
        let count = keys.len();
        let signers = Signers::of(keys, which.network_at_least).with_context(|| {
            format!(
                "--network-at-least {} is not 1 to {count}, the number of keys that are named\nhint: name more keys with --network-key",
                which.network_at_least.unwrap_or_default()
            )
        })?;
        let descriptor = verified(&envelope, &signers)?;
        Ok(Self { descriptor, web })
    }

    /// The models that were asked for, or all; each by its class's name.
    pub(crate) fn models(&self, asked: &[String]) -> anyhow::Result<Vec<String>> {
        let all = || self.descriptor.classes.iter().map(|it| it.name.clone());
        if let Some(unknown) = asked.iter().find(|it| self.descriptor.class(it).is_none()) {
            bail!(
                "{} has no model {unknown}\nhint: it has {}",
                self.descriptor.name,
                all().collect::<Vec<_>>().join(", ")
            );
        }
        Ok(if asked.is_empty() {
            all().collect()
        } else {
            asked.to_vec()
        })
    }

    /// What the directories list of these models.
    pub(crate) async fn directories(&self, models: &[String]) -> anyhow::Result<Directories> {
        let classes = models.iter().filter_map(|name| self.descriptor.class(name));
        let classes = classes.map(|class| class.weights.0).collect();
        let starting = Directories::start(
            self.descriptor.clone(),
            classes,
            Arc::new(self.web.clone()),
            Some(seen::folder()?),
            Arc::new(system_time),
        );
        Ok(during("asking the network's directories", starting).await)
    }

    /// Who asks its enclaves: by the person's own policy, or else by the network's.
    pub(crate) async fn relying_party(
        &self,
        own: Option<&Path>,
        judging: &Judging,
        which: &Named,
    ) -> anyhow::Result<RelyingParty> {
        let party = match own {
            Some(path) => {
                if Hex(sha256(&[&read(path, MAX_POLICY)?])) != self.descriptor.policy {
                    eprintln!(
                        "note: {} counts, and not the network's policy",
                        path.display()
                    );
                }
                judge::relying_party(path, judging)?
            }
            None => judge::relying_party_of(self.policy().await?, judging)?,
        };
        Ok(party.dialing(which.dial()))
    }

    /// The network's policy, from this machine or else from whichever directory has it.
    async fn policy(&self) -> anyhow::Result<Policy> {
        let digest = self.descriptor.policy;
        let is_it = |bytes: &Vec<u8>| Hex(sha256(&[bytes])) == digest;
        let path = seen::folder()?.join(format!("policy-{digest}.toml"));
        let mut found = read(&path, MAX_POLICY).ok().filter(is_it);
        for directory in &self.descriptor.directories {
            if found.is_some() {
                break;
            }
            let url = format!("{}/policies/{digest}", directory.url);
            let got = self.web.get(&url, MAX_POLICY, None).await;
            match got.and_then(chrysalis_client::network::Fetched::body) {
                Ok(bytes) if is_it(&bytes) => {
                    write_whole(&path, &bytes)?;
                    found = Some(bytes);
                }
                Ok(_) => eprintln!("warning: {url} is another file than the descriptor names"),
                Err(trouble) => eprintln!("warning: {url}: {trouble} ({})", trouble.code()),
            }
        }
        let found = found.with_context(|| {
            format!("no directory has the network's policy {digest}\nhint: name a file of yours with --policy")
        })?;
        let text = String::from_utf8(found).context("the network's policy is not text")?;
        files::usable(&path, Policy::parse(&text))
    }
}

/// The descriptor in an envelope, unless a newer one was seen under its name.
fn verified(envelope: &[u8], signers: &Signers) -> anyhow::Result<Descriptor> {
    let mut state = State::open()?;
    let seen = |name: &str| state.network(name);
    let verified = Descriptor::verify(envelope, signers, system_time(), seen);
    let (descriptor, digest) = verified.map_err(Error::Listing)?;
    state.remember_network(&descriptor.name, descriptor.version, digest);
    state.save()?;
    Ok(descriptor)
}
