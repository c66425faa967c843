//! The hardware that is simulated for one guest: a security processor, and as many GPUs as its configuration asks for.

mod gpus;
pub(crate) mod processor;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use chrysalis_attestation::{
    encoding::{digest::sha256, pem},
    evidence::Endorsements,
};
use chrysalis_wire::{configuration::Configuration, host::FromHost};
use serde::Serialize;

use self::{
    gpus::Gpus,
    processor::{Launched, Processor},
};
use crate::{clock::now, talk::say};

/// Every simulated root in PEM, for a relying party's policy to name; in the state folder.
const ROOTS: &str = "simulated-roots.pem";
/// Where each vendor keeps its own, in the state folder.
const KEPT: [&str; 3] = [
    "simulated-amd/ark.pem",
    "simulated-nvidia/device-root.pem",
    "simulated-nvidia/rim-root.pem",
];

/// All of it.
pub(crate) struct Simulation {
    processor: Processor,
    gpus: Option<Gpus>,
}

impl Simulation {
    /// Vouches for a launch. The vendors' keys are in the state folder; the first time, making them takes seconds.
    pub(crate) fn launch(
        state: &Path,
        launched: &Launched,
        configuration: &Configuration,
        gpu_trouble: Option<&Path>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            processor: Processor::launch(&state.join("simulated-amd"), launched)?,
            gpus: Gpus::plug_in(
                &state.join("simulated-nvidia"),
                configuration,
                gpu_trouble,
                now()?,
            )?,
        })
    }

    /// Exactly these, for a test.
    #[cfg(test)]
    pub(crate) fn of(processor: Processor, gpus: Option<Gpus>) -> Self {
        Self { processor, gpus }
    }

    /// Writes the roots where a relying party on this machine finds them.
    pub(crate) fn publish(state: &Path) -> anyhow::Result<Roots> {
        let mut text = String::new();
        for name in KEPT {
            let path = state.join(name);
            // Without GPUs, NVIDIA's simulated roots were not made.
            if path.exists() {
                text += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            }
        }
        let path = state.join(ROOTS);
        fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        let roots = pem::certificates(text.as_bytes())
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        let sha256 = roots
            .iter()
            .map(|der| hex::encode(sha256(&[der])))
            .collect();
        Ok(Roots { path, sha256 })
    }

    /// A signed report of the processor.
    pub(crate) fn report(&self, report_data: [u8; 64]) -> FromHost {
        FromHost::SimulatedReport(self.processor.report(report_data))
    }

    /// What the GPUs answer.
    pub(crate) fn ask_gpus(&self, nonce: &[u8; 32]) -> FromHost {
        self.with_gpus(|gpus| match gpus.answer(nonce) {
            Ok(answers) => FromHost::SimulatedGpus {
                gpus: answers,
                roots: gpus.roots(),
            },
            Err(error) => FromHost::Refused(format!("{error:#}")),
        })
    }

    /// The enclave has verified the GPUs, and lets them compute.
    pub(crate) fn set_gpus_ready(&self) -> FromHost {
        self.with_gpus(|gpus| {
            say(format_args!(
                "simulated GPUs: the enclave set {} ready",
                gpus.count()
            ));
            FromHost::Noted
        })
    }

    fn with_gpus(&self, answer: impl FnOnce(&Gpus) -> FromHost) -> FromHost {
        let none =
            || FromHost::Refused("there is no GPU: the configuration asks for none".to_owned());
        self.gpus.as_ref().map_or_else(none, answer)
    }

    /// Renews the revocation list once a day.
    pub(crate) fn renew(&mut self) -> anyhow::Result<()> {
        self.processor.renew()
    }

    /// What a relying party needs to check all of it.
    pub(crate) fn endorsements(&mut self) -> anyhow::Result<Endorsements> {
        let mut endorsements = self.processor.endorsements()?;
        if let Some(gpus) = &mut self.gpus {
            let collateral = gpus.collateral(now()?);
            endorsements.rims.clone_from(&collateral.rims);
            endorsements.ocsp.clone_from(&collateral.ocsp);
        }
        Ok(endorsements)
    }
}

/// The simulated roots, for a policy to name.
#[derive(Debug, Serialize)]
pub(crate) struct Roots {
    /// All of them, PEM.
    #[serde(rename = "root_path")]
    pub(crate) path: PathBuf,
    /// Each by the hexadecimal SHA-256 of its DER, in the file's order.
    #[serde(rename = "root_sha256")]
    pub(crate) sha256: Vec<String>,
}
