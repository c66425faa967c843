//! What vouches for this machine: AMD's security processor, Intel's TDX module, or a simulated processor that the host plays.
//!
//! The measured words decide which, then the devices that are present; never the host's word. A simulated report is worth
//! nothing to a relying party whose policy does not name the simulated root.

pub(crate) mod error;
mod launched;
mod signed;
pub(crate) mod tdx;
mod tsm;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use chrysalis_attestation::{
    evidence::{CpuReport, Endorsements},
    snp::{report::Report, table},
};
use rustix::mount::{MountFlags, mount};
use sev::firmware::guest::Firmware;

use crate::{host::Host, words::Words};
use error::{PlatformError, SEV_GUEST, TSM};
pub(crate) use launched::{Launched, OtherConfiguration};
pub(crate) use signed::Signed;
use signed::aside;

/// Where TSM appears once configfs is mounted.
const CONFIGFS: &str = "/sys/kernel/config";

/// Who signs this machine's reports.
#[derive(Clone)]
pub(crate) enum Platform {
    /// The host plays the processor. Only if the measured words say so.
    Simulated(Arc<Host>),
    /// AMD's processor, through the sev-guest driver.
    SevGuest(Arc<Mutex<Firmware>>),
    /// AMD's processor, through configfs-tsm.
    Tsm(Arc<Mutex<PathBuf>>),
    /// Intel's TDX module. The path is configfs-tsm's, the second way to a quote, one at a time.
    Tdx(Arc<tokio::sync::Mutex<PathBuf>>),
}

impl Platform {
    /// Finds out from the devices that are present.
    pub(crate) fn find(words: &Words, host: &Arc<Host>) -> Result<Self, PlatformError> {
        if words.simulated {
            return Ok(Self::Simulated(host.clone()));
        }
        if Path::new(SEV_GUEST).exists() {
            let firmware = Firmware::open()
                .map_err(|error| PlatformError::Report(format!("{SEV_GUEST}: {error}")))?;
            return Ok(Self::SevGuest(Arc::new(Mutex::new(firmware))));
        }
        // It may be mounted already, or not exist at all: what counts is whether TSM shows up.
        let _ = mount("configfs", CONFIGFS, "configfs", MountFlags::NOEXEC, None);
        if Path::new(tdx::device::DEVICE).exists() {
            return Ok(Self::Tdx(Arc::new(tokio::sync::Mutex::new(TSM.into()))));
        }
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
            Self::Tdx(_) => "Intel TDX",
        }
    }

    /// What vouches for the CPU, as offers call it: one of `chrysalis_settle::PLATFORMS`.
    pub(crate) fn short_name(&self) -> &'static str {
        match self {
            Self::Simulated(_) => "simulated",
            Self::SevGuest(_) | Self::Tsm(_) => "snp",
            Self::Tdx(_) => "tdx",
        }
    }

    /// What the machine was launched with, from the processor itself. A quote would not do on TDX: it comes through the host,
    /// and only verification distinguishes it from a forged one.
    pub(crate) async fn launched(&self) -> Result<Launched, PlatformError> {
        if let Self::Tdx(_) = self {
            let report = tdx::report([0; 64]).await?;
            return Ok(Launched::ConfigurationId(report.configuration_id()?));
        }
        match self.report([0; 64]).await?.cpu {
            CpuReport::Snp(report) => Report::parse(&report)
                .map(|report| Launched::HostData(report.host_data))
                .map_err(|rejection| PlatformError::Report(rejection.to_string())),
            _ => Err(PlatformError::Report(
                "it is of a different kind".to_owned(),
            )),
        }
    }

    /// Has `report_data` signed. Slow on hardware, so it never runs on the thread that serves.
    pub(crate) async fn report(&self, report_data: [u8; 64]) -> Result<Signed, PlatformError> {
        match self {
            Self::Simulated(host) => Signed::snp(
                host.simulated_report(report_data).await?,
                Endorsements::default(),
            ),
            Self::SevGuest(firmware) => {
                let firmware = firmware.clone();
                aside(move || ask_sev_guest(&firmware, report_data)).await
            }
            Self::Tsm(root) => {
                let root = root.clone();
                aside(move || {
                    let root = root.lock().unwrap_or_else(PoisonError::into_inner);
                    snp_by_tsm(&root, &report_data)
                })
                .await
            }
            Self::Tdx(root) => tdx::quote(report_data, root).await,
        }
    }
}

fn snp_by_tsm(root: &Path, report_data: &[u8; 64]) -> Result<Signed, PlatformError> {
    let answer = tsm::report(root, tsm::Provider::SevGuest, report_data)?;
    // The host wrote the table. A broken one costs its certificates, not the report.
    let endorsements = table::certificates(&answer.auxiliary).unwrap_or_default();
    Signed::snp(answer.blob, endorsements)
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
    Signed::snp(report, Endorsements::default())
}

#[cfg(test)]
mod tests {
    use chrysalis_attestation::snp::report::REPORT_SIZE;

    use super::*;

    fn tree(outblob: &[u8]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let entry = root.path().join("chrysalis");
        std::fs::create_dir(&entry).unwrap();
        for (attribute, value) in [
            ("provider", b"sev_guest\n".as_slice()),
            ("generation", b"1\n"),
            ("outblob", outblob),
            ("auxblob", &[0xff; 30]),
        ] {
            std::fs::write(entry.join(attribute), value).unwrap();
        }
        root
    }

    #[test]
    fn a_broken_table_costs_no_report() {
        let root = tree(&[9; REPORT_SIZE]);
        let signed = snp_by_tsm(root.path(), &[5; 64]).unwrap();
        assert_eq!(signed.cpu, CpuReport::Snp(vec![9; REPORT_SIZE]));
        assert_eq!(signed.endorsements.certificates, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn refuses_a_report_of_another_length() {
        let root = tree(&[9; 5]);
        assert_eq!(
            snp_by_tsm(root.path(), &[5; 64]).unwrap_err().to_string(),
            "the security processor gave no report: it has 5 bytes instead of 1184"
        );
    }
}
