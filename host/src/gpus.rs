//! The simulated GPUs: what NVIDIA's would be on a machine that has them. They compute nothing.
//!
//! They sign answers of the real layout under roots that say they are simulated, with manifests and OCSP answers to match.
//! A relying party accepts them only if its policy names both roots.

use std::path::Path;

use anyhow::Context;
use chrysalis_attestation::{Time, digest::sha256, nvidia::Collateral};
use chrysalis_simulate::Nvidia;
use chrysalis_wire::{configuration::Configuration, host::SimulatedGpu};

/// How old the manifests and OCSP answers may get before they are signed anew, seconds. Answers are good for a day.
const COLLATERAL_AGE: i64 = 3600;

/// The GPUs of one guest.
pub(crate) struct Gpus {
    vendor: Nvidia,
    count: u64,
    collateral: Option<(Time, Collateral)>,
}

impl Gpus {
    /// As many as the configuration wants; `None` if it wants none. The vendor's seed is in `keys`.
    pub(crate) fn plug_in(
        keys: &Path,
        configuration: &Configuration,
        now: Time,
    ) -> anyhow::Result<Option<Self>> {
        let Some(section) = &configuration.gpu else {
            return Ok(None);
        };
        let count = section.get("count").and_then(toml_count).context(
            "the configuration's gpu.count is no list of numbers\nhint: write `count = [1]` for one GPU",
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
    pub(crate) fn answer(&self, nonce: &[u8; 32]) -> Vec<SimulatedGpu> {
        (0..self.count)
            .map(|index| {
                let evidence = self.vendor.gpu(index).evidence(nonce);
                SimulatedGpu {
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

    /// Both roots, DER.
    pub(crate) fn root_certificates(&self) -> [&[u8]; 2] {
        [self.vendor.device_root(), self.vendor.rim_root()]
    }

    /// Manifests, and OCSP answers that are young enough.
    pub(crate) fn collateral(&mut self, now: Time) -> &Collateral {
        let young = |(made, _): &(Time, Collateral)| {
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
