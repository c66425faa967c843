//! What relying parties accept: the policy file, which has to be the one that the network's descriptor names.

use std::{fs, path::PathBuf, time::SystemTime};

use anyhow::{Context, anyhow, ensure};
use chrysalis_attestation::{
    encoding::digest::{Hex, sha256},
    policy::Policy,
    release::{Development, PublicKey},
    transcript::Expect,
};
use chrysalis_network::{Descriptor, Signers};
use clap::Args;

use crate::resource::{Measurements, Platform, SeenNetwork};

/// The most bytes of a file that is read here.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Where the policy is. Files are read anew each time, so a `ConfigMap` that changes counts at once.
#[derive(Debug, Clone, Args)]
pub(crate) struct PolicyOptions {
    /// The policy by which relying parties verify
    #[arg(long, value_name = "FILE", env = "CHRYSALIS_FLEET_POLICY")]
    policy: PathBuf,
    /// The network's descriptor, which names the policy; without one, the policy is taken as it is
    #[arg(
        long,
        value_name = "FILE",
        env = "CHRYSALIS_FLEET_NETWORK",
        requires = "network_keys"
    )]
    network: Option<PathBuf>,
    /// A public key that has to have signed the descriptor; may be repeated
    #[arg(
        long = "network-key",
        value_name = "FILE",
        env = "CHRYSALIS_FLEET_NETWORK_KEY",
        value_delimiter = ' ',
        requires = "network"
    )]
    network_keys: Vec<PathBuf>,
    /// How many of the keys have to have signed [default: all]
    #[arg(
        long,
        value_name = "N",
        env = "CHRYSALIS_FLEET_NETWORK_AT_LEAST",
        requires = "network"
    )]
    network_at_least: Option<usize>,
}

/// What is accepted just now.
#[derive(Debug)]
pub(crate) struct Accepted {
    policy: Policy,
    network: Option<(Descriptor, SeenNetwork)>,
}

impl PolicyOptions {
    /// Reads it all. `seen` is the newest descriptor so far: an older one is refused.
    pub(crate) fn read(&self, seen: Option<&SeenNetwork>) -> anyhow::Result<Accepted> {
        let policy = file(&self.policy)?;
        let network = self.network.as_ref().map(|path| {
            let (descriptor, seen) = self.descriptor(path, seen)?;
            ensure!(
                descriptor.policy.0 == sha256(&[&policy]),
                "{} is not the policy that the descriptor of {} names: fetch that one from a directory of the network",
                self.policy.display(),
                descriptor.name
            );
            Ok((descriptor, seen))
        });
        let network = network.transpose()?;
        let shown = self.policy.display();
        let policy = String::from_utf8(policy).with_context(|| format!("{shown} is no text"))?;
        let policy = Policy::parse(&policy).map_err(|error| anyhow!("{shown}: {error}"))?;
        Ok(Accepted { policy, network })
    }

    fn descriptor(
        &self,
        path: &PathBuf,
        seen: Option<&SeenNetwork>,
    ) -> anyhow::Result<(Descriptor, SeenNetwork)> {
        let shown = path.display();
        let keys = self.network_keys.iter().map(|path| {
            PublicKey::read_with(&file(path)?, Development::Refused).map_err(|rejection| {
                anyhow!("{}: {rejection}: {}", path.display(), rejection.hint())
            })
        });
        let keys: Vec<_> = keys.collect::<anyhow::Result<_>>()?;
        let count = keys.len();
        let signers = Signers::of(keys, self.network_at_least).with_context(|| {
            format!("--network-at-least is not 1 to {count}, the number of keys that are named")
        })?;
        let before = |name: &str| {
            let seen = seen.filter(|seen| seen.name == name)?;
            Some((seen.version, seen.sha256))
        };
        let now = SystemTime::now().into();
        let (descriptor, sha256) = Descriptor::verify(&file(path)?, &signers, now, before)
            .map_err(|rejection| anyhow!("{shown}: {rejection}: {}", rejection.hint()))?;
        let seen = SeenNetwork {
            name: descriptor.name.clone(),
            version: descriptor.version,
            sha256,
        };
        Ok((descriptor, seen))
    }
}

impl Accepted {
    /// Whether relying parties accept machines that measure so.
    pub(crate) fn accepts(&self, platform: Platform, image: &Measurements) -> bool {
        let Policy {
            snp,
            tdx,
            simulation,
            ..
        } = &self.policy;
        match platform {
            Platform::Simulated if simulation.is_empty() => false,
            Platform::Snp | Platform::Simulated => snp
                .as_ref()
                .is_some_and(|snp| is_one_of(&snp.launch_digest, image.launch_digest.as_ref())),
            Platform::Tdx => tdx.as_ref().is_some_and(|tdx| {
                let [_, rtmr1, rtmr2, _] = &tdx.rtmr;
                is_one_of(&tdx.mrtd, image.mrtd.as_ref())
                    && is_one_of(rtmr1, image.rtmr1.as_ref())
                    && is_one_of(rtmr2, image.rtmr2.as_ref())
            }),
        }
    }

    /// Why a model is not one of the network, if so.
    pub(crate) fn refuses_model(&self, model: &str) -> Option<String> {
        let (descriptor, _) = self.network.as_ref()?;
        let names = descriptor.classes.iter().map(|it| it.name.as_str());
        let names: Vec<_> = names.take(8).collect();
        descriptor.class(model).is_none().then(|| {
            format!(
                "the network {} has no model {model:?}: set spec.model to one of its names, such as {}",
                descriptor.name,
                names.join(", ")
            )
        })
    }

    /// What to call the policy.
    pub(crate) fn name(&self) -> String {
        self.network.as_ref().map_or_else(
            || "the policy".to_owned(),
            |(network, _)| {
                format!(
                    "the policy of {}, version {}",
                    network.name, network.version
                )
            },
        )
    }

    /// The descriptor that names it.
    pub(crate) fn seen(&self) -> Option<&SeenNetwork> {
        self.network.as_ref().map(|(_, seen)| seen)
    }
}

fn is_one_of(wanted: &Expect<[u8; 48]>, found: Option<&Hex<48>>) -> bool {
    match (wanted, found) {
        (Expect::AnyOf(all), Some(found)) => all.contains(&found.0),
        // Relying parties do not look.
        (Expect::Unchecked { .. }, Some(_)) => true,
        (_, None) => false,
    }
}

fn file(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let length = fs::metadata(path).map_err(|error| anyhow!("cannot read {shown}: {error}"))?;
    ensure!(
        length.len() <= MAX_FILE,
        "{shown} is too long: it is {} bytes",
        length.len()
    );
    fs::read(path).map_err(|error| anyhow!("cannot read {shown}: {error}"))
}
