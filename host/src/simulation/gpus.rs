//! The simulated GPUs, in place of NVIDIA's on a machine without any. They compute nothing.
//!
//! They sign answers of the real layout under roots that say they are simulated, with manifests and OCSP answers to match.
//! A relying party accepts them only if its policy names both roots.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use chrysalis_attestation::{Time, encoding::digest::sha256, nvidia::GpuCollateral};
use chrysalis_simulate::{
    Nvidia,
    nvidia::{Gpu, opaque},
};
use chrysalis_wire::{configuration::Configuration, host::GpuAnswer};

use crate::talk::say;

/// How old the manifests and OCSP answers may get before they are signed again, in seconds. Answers are valid for a day.
const COLLATERAL_AGE: i64 = 3600;

/// The GPUs of one guest.
pub(crate) struct Gpus {
    vendor: Nvidia,
    count: u64,
    trouble: Option<PathBuf>,
    collateral: Option<(Time, GpuCollateral)>,
}

impl Gpus {
    /// As many as the configuration asks for; `None` if it asks for none. The vendor's seed is in `keys`. Once there is a file
    /// `trouble`, they answer as it says.
    pub(crate) fn plug_in(
        keys: &Path,
        configuration: &Configuration,
        trouble: Option<&Path>,
        now: Time,
    ) -> anyhow::Result<Option<Self>> {
        let Some(section) = &configuration.gpu else {
            return Ok(None);
        };
        let count = section.get("count").and_then(toml_count).context(
            "gpu.count in the configuration is not a list of numbers\nhint: write `count = [1]` for one GPU",
        )?;
        // One may take another's place: it can be revoked, too.
        let known = count.saturating_add(trouble.is_some().into());
        let vendor = Nvidia::open_or_create(keys, now)?.with_gpus(known);
        Ok(Some(Self {
            vendor,
            count,
            trouble: trouble.map(Path::to_owned),
            collateral: None,
        }))
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// What each answers.
    pub(crate) fn answer(&self, nonce: &[u8; 32]) -> anyhow::Result<Vec<GpuAnswer>> {
        let trouble = self.trouble()?;
        if let Some(trouble) = trouble {
            say(format_args!(
                "simulated GPUs: the first is in trouble: {}",
                trouble.name()
            ));
        }
        let gpus = (0..self.count).filter_map(|index| match (index, trouble) {
            (0, Some(trouble)) => trouble.befalls(&self.vendor, self.count),
            _ => Some(self.vendor.gpu(index)),
        });
        Ok(gpus
            .map(|gpu| {
                let evidence = gpu.evidence(nonce);
                GpuAnswer {
                    report: evidence.report,
                    chain: evidence.chain,
                }
            })
            .collect())
    }

    /// What the file says now.
    fn trouble(&self) -> anyhow::Result<Option<Trouble>> {
        match self.trouble.as_deref().map(fs::read_to_string) {
            None => Ok(None),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Some(text) => Trouble::named(text?.trim()).map(Some),
        }
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

/// What may befall the first GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It is in dev-tools mode: other measurements.
    DevTools,
    /// It is gone.
    Vanish,
    /// Another one is in its place, as good as it.
    OtherDevice,
    /// It has another driver.
    OtherDriver,
}

impl Trouble {
    const ALL: [Self; 4] = [
        Self::DevTools,
        Self::Vanish,
        Self::OtherDevice,
        Self::OtherDriver,
    ];

    /// As the file says it.
    const fn name(self) -> &'static str {
        match self {
            Self::DevTools => "devtools",
            Self::Vanish => "vanish",
            Self::OtherDevice => "other-device",
            Self::OtherDriver => "other-driver",
        }
    }

    fn named(name: &str) -> anyhow::Result<Self> {
        let found = Self::ALL.into_iter().find(|trouble| trouble.name() == name);
        found.with_context(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{name:?} is no trouble of a GPU\nhint: write one of {names} into the file")
        })
    }

    /// What is in the first GPU's place; `other` is the number of one that the machine does not have.
    fn befalls(self, vendor: &Nvidia, other: u64) -> Option<Gpu> {
        let mut gpu = vendor.gpu(0);
        match self {
            Self::DevTools => drop(gpu.measurements.insert(3, [0; 48])),
            Self::Vanish => return None,
            Self::OtherDevice => return Some(vendor.gpu(other)),
            Self::OtherDriver => drop(
                gpu.opaque
                    .insert(opaque::DRIVER_VERSION, b"999.99.99\0".to_vec()),
            ),
        }
        Some(gpu)
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
        plugged_in_with(gpu, None)
    }

    fn plugged_in_with(gpu: &str, trouble: Option<&Path>) -> anyhow::Result<Option<Gpus>> {
        let digest = "ab".repeat(32);
        let text = format!(
            "version = 2\n[[engine]]\nname = \"e\"\ndisk = {{ root = \"{digest}\", blocks = 1 }}\nthreads = 1\n\
             memory_mib = 64\n[[model]]\nname = \"m\"\nkind = \"embedding\"\nengine = \"e\"\n\
             disk = {{ root = \"{digest}\", blocks = 1 }}\nsize = 1\nweights = \"{digest}\"\ncontext = 64\nparallel = 1\n\
             [serving]\nqueue = 2\ndefault_max_tokens = 16\n{gpu}"
        );
        let configuration = Configuration::parse(text.as_bytes()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Gpus::plug_in(&folder.path().join("keys"), &configuration, trouble, NOW)
    }

    #[test]
    fn there_are_as_many_as_the_configuration_wants() {
        assert!(plugged_in("").unwrap().is_none());
        let gpus = plugged_in("[gpu]\ncount = [2]\n").unwrap().unwrap();
        assert_eq!(gpus.answer(&[7; 32]).unwrap().len(), 2);
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
            .unwrap()
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

    /// Whether the machine's GPUs pass, and by which identity the first does, once the file says so.
    fn in_trouble(name: &str) -> Result<Vec<String>, &'static str> {
        let section = "[gpu]\ncount = [2]\nminimum_driver = \"550.54\"\nrevocation = \"stapled\"\n";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trouble");
        let mut gpus = plugged_in_with(section, Some(&file)).unwrap().unwrap();
        assert_eq!(
            gpus.answer(&[7; 32]).unwrap().len(),
            2,
            "it has not come yet"
        );
        fs::write(&file, format!("{name}\n")).unwrap();
        let answers = gpus.answer(&[7; 32]).unwrap().into_iter();
        let evidence: Vec<_> = answers
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
        match alone::gpus::verify(&evidence, &question) {
            Ok(verified) => Ok(verified
                .gpus()
                .iter()
                .map(|gpu| gpu.identity.clone())
                .collect()),
            Err(refusal) => Err(refusal.rejection.code()),
        }
    }

    #[test]
    fn the_first_gets_into_the_trouble_that_a_file_names() {
        assert_eq!(in_trouble("devtools"), Err("measurement_mismatch"));
        assert_eq!(in_trouble("vanish"), Err("gpu_count_mismatch"));
        in_trouble("other-driver").unwrap_err();
        let [first, second] = &in_trouble("other-device").unwrap()[..] else {
            panic!()
        };
        assert_ne!(first, second);
        let wrong = Trouble::named("dev tools").unwrap_err().to_string();
        assert!(
            wrong.contains("hint: write one of devtools, vanish"),
            "{wrong}"
        );
    }
}
