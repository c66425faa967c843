//! The simulated GPUs, in place of NVIDIA's on a machine without any. They compute nothing.
//!
//! They sign answers of the real layout under roots that say they are simulated, with manifests and OCSP answers to match.
//! A relying party accepts them only if its policy names both roots.

use std::path::Path;

use anyhow::Context;
use chrysalis_attestation::{Time, encoding::digest::sha256, nvidia::GpuCollateral};
use chrysalis_simulate::Nvidia;
use chrysalis_wire::{configuration::Configuration, host::GpuAnswer};

/// How old the manifests and OCSP answers may get before they are signed again, in seconds. Answers are valid for a day.
const COLLATERAL_AGE: i64 = 3600;

/// The GPUs of one guest.
pub(crate) struct Gpus {
    vendor: Nvidia,
    count: u64,
    collateral: Option<(Time, GpuCollateral)>,
}

impl Gpus {
    /// As many as the configuration asks for; `None` if it asks for none. The vendor's seed is in `keys`.
    pub(crate) fn plug_in(
        keys: &Path,
        configuration: &Configuration,
        now: Time,
    ) -> anyhow::Result<Option<Self>> {
        let Some(section) = &configuration.gpu else {
            return Ok(None);
        };
        let count = section.get("count").and_then(toml_count).context(
            "gpu.count in the configuration is not a list of numbers\nhint: write `count = [1]` for one GPU",
        )?;
        let vendor = Nvidia::open_or_create(keys, now)?.with_gpus(count);
        Ok(Some(Self {
            vendor,
            count,
            collateral: None,
        }))
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// What each answers.
    pub(crate) fn answer(&self, nonce: &[u8; 32]) -> Vec<GpuAnswer> {
        (0..self.count)
            .map(|index| {
                let evidence = self.vendor.gpu(index).evidence(nonce);
                GpuAnswer {
                    report: evidence.report,
                    chain: evidence.chain,
                }
            })
            .collect()
    }

    /// SHA-256 of the root of their certificates, and of that of their manifests.
    pub(crate) fn roots(&self) -> [[u8; 32]; 2] {
        [self.vendor.device_root(), self.vendor.rim_root()].map(|root| sha256(&[root]))
    }

    /// Manifests, and OCSP answers that are young enough.
    pub(crate) fn collateral(&mut self, now: Time) -> &GpuCollateral {
        let young = |(made, _): &(Time, GpuCollateral)| {
            (0..COLLATERAL_AGE).contains(&now.0.saturating_sub(made.0))
        };
        let kept = self.collateral.take().filter(young);
        let vendor = &self.vendor;
        let (_, collateral) = self
            .collateral
            .insert(kept.unwrap_or_else(|| (now, vendor.collateral(now))));
        collateral
    }
}

/// The first number of a list.
fn toml_count(value: &toml::Value) -> Option<u64> {
    value.as_array()?.first()?.as_integer()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_attestation::{
        Waivers, alone,
        alone::gpus::GpuQuestion,
        nvidia::{GpuEvidence, NvidiaRoots},
        policy::Policy,
    };

    const NOW: Time = Time(1_796_000_000);

    fn plugged_in(gpu: &str) -> anyhow::Result<Option<Gpus>> {
        let digest = "ab".repeat(32);
        let text = format!(
            "version = 2\n[[engine]]\nname = \"e\"\ndisk = {{ root = \"{digest}\", blocks = 1 }}\nthreads = 1\n\
             memory_mib = 64\n[[model]]\nname = \"m\"\nkind = \"embedding\"\nengine = \"e\"\n\
             disk = {{ root = \"{digest}\", blocks = 1 }}\nsize = 1\nweights = \"{digest}\"\ncontext = 64\nparallel = 1\n\
             [serving]\nqueue = 2\ndefault_max_tokens = 16\n{gpu}"
        );
        let configuration = Configuration::parse(text.as_bytes()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Gpus::plug_in(&folder.path().join("keys"), &configuration, NOW)
    }

    #[test]
    fn there_are_as_many_as_the_configuration_wants() {
        assert!(plugged_in("").unwrap().is_none());
        let gpus = plugged_in("[gpu]\ncount = [2]\n").unwrap().unwrap();
        assert_eq!(gpus.answer(&[7; 32]).len(), 2);
        let misspelt = plugged_in("[gpu]\ncount = \"two\"\n")
            .map(|_| ())
            .unwrap_err();
        assert!(misspelt.to_string().contains("count = [1]"), "{misspelt}");
    }

    #[test]
    fn what_they_answer_is_verified_under_their_own_roots() {
        let section = "[gpu]\ncount = [2]\nminimum_driver = \"550.54\"\nrevocation = \"stapled\"\n";
        let mut gpus = plugged_in(section).unwrap().unwrap();
        let evidence: Vec<_> = gpus
            .answer(&[7; 32])
            .into_iter()
            .map(|GpuAnswer { report, chain }| GpuEvidence { report, chain })
            .collect();
        let [device, rim] = gpus.roots();
        let policy = Policy::gpu_of_configuration(section).unwrap().unwrap();
        let question = GpuQuestion {
            nonce: &[7; 32],
            roots: &NvidiaRoots::nvidia().and_simulated(device, rim),
            collateral: gpus.collateral(NOW),
            policy: Some(&policy),
            waivers: Waivers::none(),
            now: NOW,
        };
        let verified = alone::gpus::verify(&evidence, &question).unwrap();
        assert!(verified.simulated());
        assert_eq!(verified.gpus().len(), 2);
    }
}
