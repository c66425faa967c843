//! Why nothing vouches for this machine, and what to do about it.

use super::tdx::{device::DEVICE, quotes::QuoteError};
use crate::host::HostError;

/// The device of the kernel's sev-guest driver.
pub(super) const SEV_GUEST: &str = "/dev/sev-guest";
/// The kernel's way to ask any confidential-computing platform for a report.
pub(super) const TSM: &str = "/sys/kernel/config/tsm/report";

/// No platform, or no report from it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlatformError {
    /// `no_platform`
    #[error(
        "nothing here vouches for this machine: none of {SEV_GUEST}, {DEVICE} and {TSM} exists"
    )]
    NoPlatform,
    /// `report_failed`
    #[error("the security processor gave no report: {0}")]
    Report(String),
    /// `quote_failed`
    #[error("the host got no quote: {0}")]
    Quote(#[from] QuoteError),
    /// The host's codes
    #[error(transparent)]
    Host(#[from] HostError),
}

impl PlatformError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoPlatform => "no_platform",
            Self::Report(_) => "report_failed",
            Self::Quote(_) => "quote_failed",
            Self::Host(error) => error.code(),
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NoPlatform => {
                "launch as an SEV-SNP guest or a TDX trust domain, or launch the image with its simulated command line"
            }
            Self::Report(_) => {
                "check the firmware and the kernel of the host: `chrysalis-host doctor`"
            }
            Self::Quote(_) => {
                "start Intel's tdx-qgs on the host, on vsock port 4050, and read its log"
            }
            Self::Host(error) => error.hint(),
        }
    }
}
