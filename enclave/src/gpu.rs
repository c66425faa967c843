//! The sixth step: the GPUs. The enclave asks them itself, verifies what they answer as a relying party would, and only
//! then sets them ready to compute.
//!
//! What it asks names its own key, so nobody else's GPUs can answer for it. A relying party gets the answers too, and
//! trusts its own verification of them, not this one.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use chrysalis_attestation::{
    Time,
    bundle::Endorsements,
    nvidia::{self, Collateral, GpuEvidence, GpuPolicy, Question, Roots},
};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    boot::Ground,
    configuration::Measured,
    engine::{Description, Scheduler},
    failure::Failure,
    host::HostError,
    keys::{Keyed, Keys},
    platform::Platform,
};

/// The GPUs that the measured configuration wants.
pub(crate) struct Gpus {
    policy: GpuPolicy,
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
    #[error("the configuration wants GPUs, and this image has no driver for them")]
    NoDriver,
    /// The host's codes, where the host plays the GPUs
    #[error(transparent)]
    Host(#[from] HostError),
}

impl GpuError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "gpu_refused",
            Self::NoDriver => "gpu_driver_missing",
            Self::Host(error) => error.code(),
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Refused { hint, .. } => hint,
            Self::NoDriver => {
                "launch an image with the GPU's driver, or a configuration without a [gpu] section"
            }
            Self::Host(error) => error.hint(),
        }
    }
}

impl Gpus {
    /// Those of the configuration; `None` where it wants none.
    pub(crate) fn of(measured: &Measured) -> Option<Self> {
        let policy = measured.gpus.clone()?;
        Some(Self { policy })
    }

    /// What they answer to `nonce`, verified.
    pub(crate) async fn ask(
        &self,
        nonce: [u8; 32],
        ground: &Ground,
        endorsements: &Endorsements,
    ) -> Result<Vec<GpuEvidence>, GpuError> {
        let (evidence, roots) = Self::answers(nonce, ground).await?;
        self.verify(&evidence, &nonce, &roots, endorsements)?;
        Ok(evidence)
    }

    /// What they answer to `nonce`, and under which roots it counts. Nothing of it is verified.
    async fn answers(
        nonce: [u8; 32],
        ground: &Ground,
    ) -> Result<(Vec<GpuEvidence>, Roots), GpuError> {
        let Platform::Simulated(host) = &ground.platform else {
            return Err(GpuError::NoDriver);
        };
        // Nothing protects a simulated machine, so whichever root it says is simulated will do here. Whether it does for a
        // relying party is their policy's to say.
        let (evidence, [device, rim]) = host.simulated_gpus(nonce).await?;
        Ok((evidence, Roots::nvidia().and_simulated(device, rim)))
    }

    /// Verifies them for the first time, once the host has had the chance to get what that takes.
    async fn check(&self, nonce: [u8; 32], ground: &Ground) -> Result<(), GpuError> {
        let (evidence, roots) = Self::answers(nonce, ground).await?;
        ground.host.present(Vec::new(), &evidence).await;
        let endorsements = ground.host.endorsements().await?;
        self.verify(&evidence, &nonce, &roots, &endorsements)
    }

    fn verify(
        &self,
        evidence: &[GpuEvidence],
        nonce: &[u8; 32],
        roots: &Roots,
        endorsements: &Endorsements,
    ) -> Result<(), GpuError> {
        let collateral = Collateral {
            rims: endorsements.rims.clone(),
            ocsp: endorsements.ocsp.clone(),
        };
        let question = Question {
            nonce,
            roots,
            collateral: &collateral,
            policy: &self.policy,
            now: now(),
        };
        match nvidia::verify(evidence, &question) {
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
                Ok(())
            }
            Err(refusal) => Err(GpuError::Refused {
                code: refusal.rejection.code(),
                detail: refusal.rejection.to_string(),
                hint: refusal.rejection.hint(),
            }),
        }
    }

    /// Lets them compute. Only after [`Self::check`] has verified them.
    pub(crate) async fn set_ready(&self, ground: &Ground) -> Result<(), GpuError> {
        match &ground.platform {
            Platform::Simulated(host) => Ok(host.simulated_gpus_ready().await?),
            _ => Err(GpuError::NoDriver),
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
    /// Verifies the GPUs, then sets them ready.
    pub(crate) async fn check_gpus(self) -> Result<Equipped, Failure> {
        let gpus = Gpus::of(&self.measured);
        if let Some(gpus) = &gpus {
            let mut nonce = [0; 32];
            let drawn = SystemRandom::new().fill(&mut nonce);
            drawn.map_err(|_| Failure::Keys("the system gives no random numbers".to_owned()))?;
            gpus.check(nonce, &self.ground).await?;
            gpus.set_ready(&self.ground).await?;
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

/// By this machine's clock, which the host may have set: a relying party judges ages by its own.
fn now() -> Time {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
