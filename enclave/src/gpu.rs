//! The fifth step: the GPUs. The enclave asks them itself, verifies what they answer as a relying party would, and only
//! then sets them ready to compute.
//!
//! The measured words decide who answers: the driver of the image ([`nvidia`]), or, on a simulated machine without one, the
//! host, which plays GPUs that compute nothing. The walk is the same.
//!
//! The question names the enclave's own key, so another enclave's GPUs cannot answer it. A relying party gets the answers
//! too, and trusts its own verification of them, not this one.

pub(crate) mod error;
mod known;
mod nvidia;
mod worker;

use std::sync::Arc;

use chrysalis_attestation::{
    Waivers,
    alone::{self, Verified, gpus::GpuQuestion},
    evidence::Endorsements,
    nvidia::{Devices, GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots},
};
use chrysalis_wire::boot::Stage;
use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    boot::Ground,
    clock,
    configuration::Measured,
    disks::Disks,
    failure::Failure,
    host::{Host, HostError},
    keys::{Keyed, Keys},
    platform::Platform,
};
use error::GpuError;
use known::Known;
use nvidia::Nvidia;

/// The GPUs that the measured configuration wants.
pub(crate) struct Gpus {
    policy: GpuPolicy,
    answerer: Answerer,
    known: Known,
}

/// Who answers for them.
enum Answerer {
    /// The host plays them.
    Simulated(Arc<Host>),
    /// The GPUs themselves.
    Nvidia(Nvidia),
}

impl Gpus {
    /// Those of the configuration; `None` if it wants none.
    pub(crate) fn find(measured: &Measured, ground: &Ground) -> Result<Option<Self>, GpuError> {
        let Some(policy) = measured.gpus.clone() else {
            return Ok(None);
        };
        let answerer = match (&ground.words.driver, &ground.platform) {
            (Some(_), _) => Answerer::Nvidia(Nvidia::start()?),
            (None, Platform::Simulated(host)) => Answerer::Simulated(host.clone()),
            (None, _) => return Err(GpuError::NoDriver("its command line names none".to_owned())),
        };
        Ok(Some(Self {
            policy,
            answerer,
            known: Known::default(),
        }))
    }

    /// Everything that a boot does with them: first verify, only then set ready, and only then test. `staple` has the host
    /// fetch what it takes to verify this evidence.
    async fn admit(
        &self,
        nonce: [u8; 32],
        staple: impl AsyncFnOnce(&[GpuEvidence]) -> Result<Endorsements, HostError>,
    ) -> Result<(), GpuError> {
        if let Answerer::Nvidia(gpus) = &self.answerer {
            gpus.require_confidential().await?;
        }
        let (evidence, roots) = self.answers(nonce).await?;
        let endorsements = staple(&evidence).await?;
        let verified = self.verify(&evidence, &nonce, &roots, &endorsements)?;
        match &self.answerer {
            Answerer::Simulated(host) => Ok(host.simulated_gpus_ready().await?),
            Answerer::Nvidia(gpus) => {
                gpus.set_ready(&verified).await?;
                gpus.test(&verified).await
            }
        }
    }

    /// What they answer to `nonce`, verified.
    pub(crate) async fn ask(
        &self,
        nonce: [u8; 32],
        endorsements: &Endorsements,
    ) -> Result<Vec<GpuEvidence>, GpuError> {
        let (evidence, roots) = self.answers(nonce).await?;
        self.verify(&evidence, &nonce, &roots, endorsements)?;
        Ok(evidence)
    }

    /// Waits for a sign that something is wrong with them. Simulated GPUs give none but their answers.
    pub(crate) async fn trouble(&self) -> GpuError {
        match &self.answerer {
            Answerer::Simulated(_) => std::future::pending().await,
            Answerer::Nvidia(gpus) => gpus.trouble().await,
        }
    }

    /// What they answer to `nonce`, and under which roots it counts. None of it is verified.
    async fn answers(&self, nonce: [u8; 32]) -> Result<(Vec<GpuEvidence>, NvidiaRoots), GpuError> {
        match &self.answerer {
            Answerer::Simulated(host) => {
                // Nothing protects a simulated machine, so any root that it calls simulated will do here. Whether it
                // does for a relying party is up to that party's policy.
                let (evidence, [device, rim]) = host.simulated_gpus(nonce).await?;
                Ok((evidence, NvidiaRoots::nvidia().and_simulated(device, rim)))
            }
            Answerer::Nvidia(gpus) => Ok((gpus.evidence(nonce).await?, gpus.roots())),
        }
    }

    fn verify(
        &self,
        evidence: &[GpuEvidence],
        nonce: &[u8; 32],
        roots: &NvidiaRoots,
        endorsements: &Endorsements,
    ) -> Result<Verified<Devices>, GpuError> {
        let collateral = GpuCollateral {
            rims: endorsements.rims.clone(),
            ocsp: endorsements.ocsp.clone(),
        };
        let question = GpuQuestion {
            nonce,
            roots,
            collateral: &collateral,
            policy: Some(&self.policy),
            waivers: Waivers::none(),
            // The host may have set this clock: a relying party judges ages by its own.
            now: clock::now(),
        };
        match alone::gpus::verify(evidence, &question) {
            Ok(verified) => {
                self.known.require(&verified)?;
                for gpu in verified.gpus() {
                    let simulated = verified.simulated();
                    tracing::info!(
                        model = gpu.model,
                        driver = gpu.driver,
                        simulated,
                        "GPU verified"
                    );
                }
                Ok(verified)
            }
            Err(refusal) => Err(GpuError::refused(&refusal.rejection)),
        }
    }
}

/// An enclave whose GPUs, if it wants any, were verified and compute.
pub(crate) struct Equipped {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) disks: Disks,
    pub(crate) keys: Keys,
    pub(crate) gpus: Option<Gpus>,
}

impl Keyed {
    /// Verifies the GPUs, then sets them ready and checks that they compute.
    pub(crate) async fn check_gpus(self) -> Result<Equipped, Failure> {
        let gpus = Gpus::find(&self.measured, &self.ground)?;
        if let Some(gpus) = &gpus {
            let mut nonce = [0; 32];
            let drawn = SystemRandom::new().fill(&mut nonce);
            drawn.map_err(|_| Failure::Keys("the system gives no random numbers".to_owned()))?;
            let host = &self.ground.host;
            let staple = async |evidence: &[GpuEvidence]| {
                host.present(Vec::new(), evidence).await;
                host.endorsements().await
            };
            gpus.admit(nonce, staple).await?;
            self.ground.progress.passed(Stage::GpusReady).await;
        }
        Ok(Equipped {
            ground: self.ground,
            measured: self.measured,
            disks: self.disks,
            keys: self.keys,
            gpus,
        })
    }
}

#[cfg(test)]
mod tests;
