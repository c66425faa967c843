//! What vouches for this machine: AMD's security processor, or a simulated one that the host plays.
//!
//! Which of the two is decided by the measured words and then by the devices that are there, never by the host's word.
//! A simulated report is worth nothing to a relying party whose policy does not name the simulated root.

mod tsm;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use chrysalis_attestation::{bundle::Endorsements, snp::report::REPORT_SIZE};
use rustix::mount::{MountFlags, mount};
use sev::firmware::guest::Firmware;

use crate::{
    boot::Words,
    host::{Host, HostError},
};

/// The device of the kernel's sev-guest driver.
const SEV_GUEST: &str = "/dev/sev-guest";
/// The kernel's way to ask any confidential-computing platform for a report.
const TSM: &str = "/sys/kernel/config/tsm/report";
/// Where TSM appears once configfs is mounted.
const CONFIGFS: &str = "/sys/kernel/config";

/// Who signs this machine's reports.
#[derive(Clone)]
pub(crate) enum Platform {
    /// The host plays the processor. Only where the measured words say so.
    Simulated(Arc<Host>),
    /// AMD's processor, by the sev-guest driver.
    SevGuest(Arc<Mutex<Firmware>>),
    /// AMD's processor, by configfs-tsm.
    Tsm(Arc<Mutex<PathBuf>>),
}

/// A signed report, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    /// The report, of the length that reports have.
    pub(crate) report: Vec<u8>,
    /// What came with it: certificates that the host had put beside the report.
    pub(crate) endorsements: Endorsements,
}

/// No platform, or no report from it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlatformError {
    /// `no_platform`
    #[error("nothing here vouches for this machine: neither {SEV_GUEST} nor {TSM} exists")]
    NoPlatform,
    /// `report_failed`
    #[error("the security processor gave no report: {0}")]
    Report(String),
    /// The host's codes
    #[error(transparent)]
    Host(#[from] HostError),
}

impl PlatformError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoPlatform => "no_platform",
            Self::Report(_) => "report_failed",
            Self::Host(error) => error.code(),
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NoPlatform => {
                "launch as an SEV-SNP guest, or launch the image with its simulated command line"
            }
            Self::Report(_) => {
                "check the SNP firmware and the kernel of the host: `chrysalis-host doctor`"
            }
            Self::Host(error) => error.hint(),
        }
    }
}

impl Platform {
    /// Finds out by what is there.
    pub(crate) fn find(words: &Words, host: &Arc<Host>) -> Result<Self, PlatformError> {
        if words.simulated {
            return Ok(Self::Simulated(host.clone()));
        }
        if Path::new(SEV_GUEST).exists() {
            let firmware = Firmware::open()
                .map_err(|error| PlatformError::Report(format!("{SEV_GUEST}: {error}")))?;
            return Ok(Self::SevGuest(Arc::new(Mutex::new(firmware))));
        }
        // Mounted by nobody else, or not there at all: what counts is whether TSM shows up.
        let _ = mount("configfs", CONFIGFS, "configfs", MountFlags::NOEXEC, None);
        if Path::new(TSM).exists() {
            return Ok(Self::Tsm(Arc::new(Mutex::new(PathBuf::from(TSM)))));
        }
        Err(PlatformError::NoPlatform)
    }

    /// For people.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Simulated(_) => "AMD SEV-SNP, SIMULATED",
            Self::SevGuest(_) => "AMD SEV-SNP by sev-guest",
            Self::Tsm(_) => "AMD SEV-SNP by configfs-tsm",
        }
    }

    /// Has `report_data` signed. Slow on hardware, so it never runs on the thread that serves.
    pub(crate) async fn report(&self, report_data: [u8; 64]) -> Result<Signed, PlatformError> {
        let signed = match self {
            Self::Simulated(host) => Signed {
                report: host.simulated_report(report_data).await?,
                endorsements: Endorsements::default(),
            },
            Self::SevGuest(firmware) => {
                let firmware = firmware.clone();
                aside(move || ask_sev_guest(&firmware, report_data)).await?
            }
            Self::Tsm(root) => {
                let root = root.clone();
                aside(move || {
                    let root = root.lock().unwrap_or_else(PoisonError::into_inner);
                    tsm::report(&root, &report_data)
                })
                .await?
            }
        };
        match signed.report.len() {
            REPORT_SIZE => Ok(signed),
            other => Err(PlatformError::Report(format!(
                "it has {other} bytes instead of {REPORT_SIZE}"
            ))),
        }
    }
}

/// The plain report, not the extended one: the extended one's certificate table comes from the host, and the crate
/// reads it through raw pointers. Certificates come with the host's endorsements instead.
fn ask_sev_guest(
    firmware: &Mutex<Firmware>,
    report_data: [u8; 64],
) -> Result<Signed, PlatformError> {
    let mut firmware = firmware.lock().unwrap_or_else(PoisonError::into_inner);
    let report = firmware
        .get_report(None, Some(report_data), None)
        .map_err(|error| PlatformError::Report(error.to_string()))?;
    Ok(Signed {
        report,
        endorsements: Endorsements::default(),
    })
}

async fn aside(
    ask: impl FnOnce() -> Result<Signed, PlatformError> + Send + 'static,
) -> Result<Signed, PlatformError> {
    tokio::task::spawn_blocking(ask)
        .await
        .unwrap_or_else(|_| Err(PlatformError::Report("asking it broke off".to_owned())))
}
