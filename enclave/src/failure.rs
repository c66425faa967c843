//! Why an enclave gives up. Each code is stable, documented here, and comes with a hint.

use std::{io, path::PathBuf};

use chrysalis_attestation::Time;
use chrysalis_wire::{api::TRUST_ENDED, configuration::ConfigurationError};

use crate::{
    gpu::error::GpuError,
    host::HostError,
    platform::error::PlatformError,
    process::{CONFINE_WORKERS, WORKER_NOT_CONFINED},
    trust::Reason,
    unseal::error::KeysError,
};

/// Why an enclave could not, or must not, serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// `unknown_word`
    #[error("the measured command line has the word {0:?}, which this enclave does not know")]
    UnknownWord(String),
    /// `not_before_missing`
    #[error("the measured command line does not say when the image was built")]
    NotBeforeMissing,
    /// `not_before_invalid`
    #[error(
        "the measured command line says not_before={0:?}, which is not a date such as 2026-11-29"
    )]
    NotBeforeInvalid(String),
    /// `clock_too_early`
    #[error("the clock says {now}, but this image was built on {not_before}")]
    ClockTooEarly { now: Time, not_before: String },
    /// `machine_setup_failed`
    #[error("could not {what}: {why}")]
    Machine { what: String, why: io::Error },
    /// `host_unreachable`, `host_stalled`, `host_refused`, `host_misspoke`
    #[error(transparent)]
    Host(#[from] HostError),
    /// `no_platform`, `report_failed`, `quote_failed`, or the host's codes if the host plays the processor
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// `configuration_invalid`
    #[error("{0}")]
    ConfigurationInvalid(#[from] ConfigurationError),
    /// `configuration_refused`
    #[error(
        "the host's configuration has the digest {given}, but this machine was launched with {measured}"
    )]
    ConfigurationRefused { given: String, measured: String },
    /// `gpu_policy_invalid`
    #[error("the configuration's [gpu] section is wrong: {0}")]
    GpuPolicy(String),
    /// `gpu_refused`, `gpu_driver_missing`, `gpu_not_found`, `gpu_not_confidential`, `gpu_devtools`, `gpu_worker_failed`,
    /// `gpu_self_test`, or the host's codes if the host plays the GPUs
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// `gpu_not_found`
    #[error("no GPU found: NVIDIA's driver sees none on this machine's PCI bus")]
    NoGpu,
    /// `driver_failed`
    #[error("the GPU's driver: could not {step}: {why}")]
    Driver { step: &'static str, why: io::Error },
    /// `disk_missing`
    #[error("there is no {place}: {why}", place = place.display())]
    DiskMissing { place: PathBuf, why: io::Error },
    /// `disk_wrong`
    #[error("{what}: {why}")]
    DiskWrong { what: String, why: String },
    /// `verity_failed`
    #[error("the kernel would not make the dm-verity device ({step}): {why}")]
    Verity { step: &'static str, why: io::Error },
    /// `crypt_failed`
    #[error("the kernel would not make the dm-crypt device ({step}): {why}")]
    Crypt { step: &'static str, why: io::Error },
    /// `keys_refused`, `keys_unreachable`, `keys_misspoke`
    #[error(transparent)]
    Unsealed(#[from] KeysError),
    /// `engine_failed`
    #[error("the engine of {model} did not start: {why}")]
    Engine { model: String, why: String },
    /// `worker_not_confined`
    #[error("the engine of {model} does not run: {why}")]
    Unconfined { model: String, why: String },
    /// `known_answer_wrong`
    #[error("{model} continues {prompt:?} with {given:?}, not {known:?}")]
    KnownAnswerWrong {
        model: String,
        prompt: String,
        given: String,
        known: String,
    },
    /// `keys_failed`
    #[error("could not make the keys: {0}")]
    Keys(String),
    /// `evidence_too_long`
    #[error(
        "the evidence has {0} bytes, more than a peer accepts; the host supplied too many endorsements"
    )]
    EvidenceTooLong(usize),
    /// `listen_failed`
    #[error("could not listen for clients: {0}")]
    Listen(io::Error),
    /// `trust_ended`
    #[error("the enclave could not prove again what it is, and destroyed its keys: {code}: {0}", code = .0.code())]
    TrustEnded(Box<Failure>),
    /// `panicked`
    #[error("the enclave stopped at a fault of its own; the log line before this one says where")]
    Panicked,
}

impl Failure {
    /// The stable code, such as `disk_wrong`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UnknownWord(_) => "unknown_word",
            Self::NotBeforeMissing => "not_before_missing",
            Self::NotBeforeInvalid(_) => "not_before_invalid",
            Self::ClockTooEarly { .. } => "clock_too_early",
            Self::Machine { .. } => "machine_setup_failed",
            Self::Host(error) => error.code(),
            Self::Platform(error) => error.code(),
            Self::ConfigurationInvalid(_) => "configuration_invalid",
            Self::ConfigurationRefused { .. } => "configuration_refused",
            Self::GpuPolicy(_) => "gpu_policy_invalid",
            Self::Gpu(error) => error.code(),
            Self::NoGpu => "gpu_not_found",
            Self::Driver { .. } => "driver_failed",
            Self::DiskMissing { .. } => "disk_missing",
            Self::DiskWrong { .. } => "disk_wrong",
            Self::Verity { .. } => "verity_failed",
            Self::Crypt { .. } => "crypt_failed",
            Self::Unsealed(error) => error.code(),
            Self::Engine { .. } => "engine_failed",
            Self::Unconfined { .. } => WORKER_NOT_CONFINED,
            Self::KnownAnswerWrong { .. } => "known_answer_wrong",
            Self::Keys(_) => "keys_failed",
            Self::EvidenceTooLong(_) => "evidence_too_long",
            Self::Listen(_) => "listen_failed",
            Self::TrustEnded(_) => TRUST_ENDED,
            Self::Panicked => "panicked",
        }
    }

    /// What clients are told of it.
    pub(crate) fn reason(&self) -> Reason {
        let detail = match self {
            Self::Gpu(GpuError::Refused { code, .. }) => Some(*code),
            _ => None,
        };
        let code = self.code();
        Reason { code, detail }
    }

    /// What the provider should do next.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::UnknownWord(_) => {
                "known words are not_before=DAY, platform=simulated, host=vsock, host=unix:DIR, driver=BLOCKS:ROOT and disks=FOLDER; rebuild the image"
            }
            Self::NotBeforeMissing | Self::NotBeforeInvalid(_) => {
                "launch the image folder as it was built; if this repeats, rebuild the image from a recipe with not_before = \"YYYY-MM-DD\""
            }
            Self::ClockTooEarly { .. } => {
                "set this machine's clock, from which the guest takes its own, and launch again"
            }
            Self::Machine { .. } => {
                "rebuild the image with the modules of its own kernel: it does not fit this machine"
            }
            Self::Host(error) => error.hint(),
            Self::Platform(error) => error.hint(),
            Self::ConfigurationInvalid(_) => "correct configuration.toml and launch again",
            Self::ConfigurationRefused { .. } => {
                "launch with the digest of the same configuration.toml that the host serves: its SHA-256 as HOST_DATA on SEV-SNP, its SHA-384 as MRCONFIGID on TDX"
            }
            Self::GpuPolicy(_) => "correct the [gpu] section of the configuration and launch again",
            Self::Gpu(error) => error.hint(),
            Self::NoGpu => {
                "give the guest a GPU (`chrysalis-host run --gpu ADDRESS`), or launch an image without a GPU's driver, such as build/cpu"
            }
            Self::Driver { .. } => {
                "launch the image folder as it was built, with its own driver.img; if this repeats, rebuild the image"
            }
            Self::DiskMissing { .. } => {
                "put the file into the folder that `chrysalis-host run --disks DIR` names: `chrysalis-image engine` and `chrysalis-image model` make it"
            }
            Self::DiskWrong { .. } => {
                "make the disk again with `chrysalis-image engine` or `chrysalis-image model`, and the configuration with `chrysalis-image configuration`; if this repeats, check the storage"
            }
            Self::Verity { .. } => {
                "launch the image folder as it was built; if this repeats, check that the disk and the configuration belong together"
            }
            Self::Crypt { .. } => "launch an image of this release: its kernel has dm-crypt",
            Self::Unsealed(error) => error.hint(),
            Self::Engine { .. } => {
                "check that the machine has enough memory (`--memory`), that memory_mib in the configuration is enough for the model, and that the model is one for this engine"
            }
            Self::Unconfined { .. } => CONFINE_WORKERS,
            Self::KnownAnswerWrong { .. } => {
                "if the engine, its threads or the processor was changed on purpose, add the text given to the model's known answers: numbers drift between machines"
            }
            Self::TrustEnded(failure) => failure.hint(),
            Self::Keys(_) | Self::Panicked => "report this with the log: it should not happen",
            Self::EvidenceTooLong(_) => {
                "have the host supply only this processor's certificates and revocation lists"
            }
            Self::Listen(_) => {
                "check that the machine has its vsock device, or that the socket's folder is writable"
            }
        }
    }

    /// Shorthand for a failure while the machine is set up.
    pub(crate) fn machine(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |why| Self::Machine { what, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::tdx::quotes::QuoteError;
    use chrysalis_wire::frame::FrameError;

    fn one_of_each() -> Vec<Failure> {
        let io = || io::Error::from(io::ErrorKind::NotFound);
        let text = || "text".to_owned();
        vec![
            Failure::UnknownWord(text()),
            Failure::NotBeforeMissing,
            Failure::NotBeforeInvalid(text()),
            Failure::ClockTooEarly {
                now: Time(0),
                not_before: text(),
            },
            Failure::machine("load it")(io()),
            HostError::Unreachable(io()).into(),
            HostError::Stalled.into(),
            HostError::Refused(text()).into(),
            HostError::Misspoke.into(),
            HostError::Frame(FrameError::Closed).into(),
            GpuError::Refused {
                code: "gpu_nonce_mismatch",
                detail: text(),
                hint: "ask again",
            }
            .into(),
            GpuError::NoDriver(text()).into(),
            GpuError::NoGpu.into(),
            GpuError::NotConfidential("off").into(),
            GpuError::DevTools.into(),
            GpuError::WorkerFailed(text()).into(),
            GpuError::Unconfined(text()).into(),
            GpuError::SelfTest(text()).into(),
            GpuError::Changed(text()).into(),
            PlatformError::NoPlatform.into(),
            PlatformError::Report(text()).into(),
            PlatformError::Quote(QuoteError::Stalled).into(),
            PlatformError::Host(HostError::Stalled).into(),
            ConfigurationError::NotText.into(),
            Failure::ConfigurationRefused {
                given: text(),
                measured: text(),
            },
            Failure::NoGpu,
            Failure::Driver {
                step: "mount its disk",
                why: io(),
            },
            Failure::DiskMissing {
                place: "ab.img".into(),
                why: io(),
            },
            Failure::DiskWrong {
                what: text(),
                why: text(),
            },
            Failure::Verity {
                step: "create it",
                why: io(),
            },
            Failure::Crypt {
                step: "create it",
                why: io(),
            },
            KeysError::Refused {
                code: text(),
                why: text(),
            }
            .into(),
            KeysError::Unreachable(text()).into(),
            KeysError::Misspoke("sent nothing").into(),
            Failure::Engine {
                model: text(),
                why: text(),
            },
            Failure::Unconfined {
                model: text(),
                why: text(),
            },
            Failure::KnownAnswerWrong {
                model: text(),
                prompt: text(),
                given: text(),
                known: text(),
            },
            Failure::Keys(text()),
            Failure::EvidenceTooLong(1),
            Failure::Listen(io()),
            Failure::TrustEnded(Box::new(GpuError::DevTools.into())),
            Failure::Panicked,
        ]
    }

    #[test]
    fn every_code_is_in_the_reference_and_says_what_to_do() {
        let reference = include_str!("../../docs/reference/enclave.md");
        for failure in one_of_each() {
            let row = format!("| `{}` |", failure.code());
            assert!(reference.contains(&row), "{row} is not documented");
            assert!(!failure.hint().is_empty() && !failure.to_string().is_empty());
        }
    }
}
