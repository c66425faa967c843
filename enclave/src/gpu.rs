//! The sixth step: the GPUs. The enclave asks them itself, verifies what they answer as a relying party would, and only
//! then sets them ready to compute.
//!
//! Who answers is decided by the measured words: the driver of the image ([`nvidia`]), or on a simulated machine without one
//! the host, which plays GPUs that compute nothing. The walk is the same.
//!
//! What it asks names its own key, so nobody else's GPUs can answer for it. A relying party gets the answers too, and
//! trusts its own verification of them, not this one.

mod nvidia;
mod worker;

use std::sync::Arc;

use chrysalis_attestation::{
    Rejection, Waivers,
    alone::{self, Verified, gpus::GpuQuestion},
    evidence::Endorsements,
    nvidia::{Devices, GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots},
};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    boot::Ground,
    clock,
    configuration::Measured,
    engine::{Description, Scheduler},
    failure::{CONFINE_WORKERS, Failure, WORKER_NOT_CONFINED},
    host::{Host, HostError},
    keys::{Keyed, Keys},
    platform::Platform,
};
use nvidia::Nvidia;
use worker::Lost;

/// The GPUs that the measured configuration wants.
pub(crate) struct Gpus {
    policy: GpuPolicy,
    answerer: Answerer,
}

/// Who answers for them.
enum Answerer {
    /// The host plays them.
    Simulated(Arc<Host>),
    /// They themselves.
    Nvidia(Nvidia),
}

/// GPUs that cannot be asked, or must not compute.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GpuError {
    /// `gpu_refused`
    #[error("the GPUs were refused: {code}: {detail}")]
    Refused {
        /// The rejection's code.
        code: &'static str,
        /// What exactly is wrong.
        detail: String,
        /// What to do next.
        hint: &'static str,
    },
    /// `gpu_driver_missing`
    #[error(
        "no GPU found: the configuration wants GPUs, and this image has no driver for them: {0}"
    )]
    NoDriver(String),
    /// `gpu_not_found`
    #[error("no GPU found: NVIDIA's driver sees none")]
    NoGpu,
    /// `gpu_not_confidential`
    #[error("the GPUs protect nothing: {0}")]
    NotConfidential(&'static str),
    /// `gpu_devtools`
    #[error("the GPUs are in dev-tools mode: whoever has the machine may look into them")]
    DevTools,
    /// `gpu_worker_failed`
    #[error("the GPU worker is lost: {0}")]
    WorkerLost(#[from] Lost),
    /// `gpu_worker_failed`
    #[error("the GPU worker could not do it: {0:?}")]
    WorkerFailed(String),
    /// `worker_not_confined`
    #[error("the GPU worker does not run: {0:?}")]
    Unconfined(String),
    /// `gpu_self_test`
    #[error("the GPUs do not compute as they should: {0:?}")]
    SelfTest(String),
    /// The host's codes, where the host plays the GPUs
    #[error(transparent)]
    Host(#[from] HostError),
}

impl GpuError {
    fn refused(rejection: &Rejection) -> Self {
        Self::Refused {
            code: rejection.code(),
            detail: rejection.to_string(),
            hint: rejection.hint(),
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "gpu_refused",
            Self::NoDriver(_) => "gpu_driver_missing",
            Self::NoGpu => "gpu_not_found",
            Self::NotConfidential(_) => "gpu_not_confidential",
            Self::DevTools => "gpu_devtools",
            Self::WorkerLost(_) | Self::WorkerFailed(_) => "gpu_worker_failed",
            Self::Unconfined(_) => WORKER_NOT_CONFINED,
            Self::SelfTest(_) => "gpu_self_test",
            Self::Host(error) => error.code(),
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Refused { hint, .. } => hint,
            Self::NoDriver(_) => {
                "launch an image with the GPU's driver, such as h100, or a configuration without a [gpu] section"
            }
            Self::NoGpu => {
                "give the guest a GPU (`chrysalis-host run --gpu ADDRESS`), or launch a configuration without a [gpu] section"
            }
            Self::NotConfidential(_) => {
                "turn the GPU's confidential mode on from the host, with NVIDIA's gpu-admin-tools (`--set-cc-mode=on --reset-after-cc-mode-switch`), and launch again"
            }
            Self::DevTools => {
                "set the GPU's confidential mode from `devtools` to `on` from the host, with NVIDIA's gpu-admin-tools, and launch again"
            }
            Self::WorkerLost(_) | Self::WorkerFailed(_) => {
                "launch again; if it repeats, reset the GPU from the host and see that its firmware is one that the image's driver knows"
            }
            Self::Unconfined(_) => CONFINE_WORKERS,
            Self::SelfTest(_) => {
                "reset the GPU from the host and launch again; if it repeats, the GPU is broken"
            }
            Self::Host(error) => error.hint(),
        }
    }
}

impl Gpus {
    /// Those of the configuration; `None` where it wants none.
    pub(crate) fn find(measured: &Measured, ground: &Ground) -> Result<Option<Self>, GpuError> {
        let Some(policy) = measured.gpus.clone() else {
            return Ok(None);
        };
        let answerer = match (&ground.words.driver, &ground.platform) {
            (Some(_), _) => Answerer::Nvidia(Nvidia::start()?),
            (None, Platform::Simulated(host)) => Answerer::Simulated(host.clone()),
            (None, _) => return Err(GpuError::NoDriver("its command line names none".to_owned())),
        };
        Ok(Some(Self { policy, answerer }))
    }

    /// The boot's whole way with them: verified first, and only then set ready, and only then tested. `staple` has the host
    /// get what it takes to verify this evidence.
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

    /// What they answer to `nonce`, and under which roots it counts. Nothing of it is verified.
    async fn answers(&self, nonce: [u8; 32]) -> Result<(Vec<GpuEvidence>, NvidiaRoots), GpuError> {
        match &self.answerer {
            Answerer::Simulated(host) => {
                // Nothing protects a simulated machine, so whichever root it says is simulated will do here. Whether it
                // does for a relying party is their policy's to say.
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
            // Which the host may have set: a relying party judges ages by its own.
            now: clock::now(),
        };
        match alone::gpus::verify(evidence, &question) {
            Ok(verified) => {
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
    pub(crate) scheduler: Scheduler,
    pub(crate) engine: Description,
    pub(crate) keys: Keys,
    pub(crate) gpus: Option<Gpus>,
}

impl Keyed {
    /// Verifies the GPUs, then sets them ready and sees whether they compute.
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
            self.ground
                .progress
                .passed("GPUs verified and set ready")
                .await;
        }
        Ok(Equipped {
            ground: self.ground,
            measured: self.measured,
            scheduler: self.scheduler,
            engine: self.engine,
            keys: self.keys,
            gpus,
        })
    }
}

#[cfg(test)]
mod tests;
