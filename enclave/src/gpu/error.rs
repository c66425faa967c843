//! Why GPUs are not used, and what to do about it.

use chrysalis_attestation::Rejection;

use super::worker::Lost;
use crate::{
    host::HostError,
    process::{CONFINE_WORKERS, WORKER_NOT_CONFINED},
};

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
    #[error("the GPUs are in dev-tools mode: the machine's owner can look inside them")]
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
    /// `gpu_changed`
    #[error("the GPUs are not the ones that were set ready: {0}")]
    Changed(String),
    /// The host's codes, if the host plays the GPUs
    #[error(transparent)]
    Host(#[from] HostError),
}

impl GpuError {
    pub(super) fn refused(rejection: &Rejection) -> Self {
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
            Self::Changed(_) => "gpu_changed",
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
                "launch again; if this repeats, reset the GPU from the host and check that the image's driver knows its firmware"
            }
            Self::Unconfined(_) => CONFINE_WORKERS,
            Self::SelfTest(_) => {
                "reset the GPU from the host and launch again; if this repeats, the GPU is broken"
            }
            Self::Changed(_) => {
                "launch again with the GPUs that the guest is to keep: none is exchanged while it runs"
            }
            Self::Host(error) => error.hint(),
        }
    }
}
