//! What a platform signed, and how it is asked.

use chrysalis_attestation::{
    evidence::{CpuReport, Endorsements},
    snp::report::REPORT_SIZE,
};

use super::error::PlatformError;

/// Signed evidence, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    /// The report or quote.
    pub(crate) cpu: CpuReport,
    /// What came with it: certificates that the host put with the report.
    pub(crate) endorsements: Endorsements,
}

impl Signed {
    /// An SNP report, if it has the length that reports have.
    pub(super) fn snp(report: Vec<u8>, endorsements: Endorsements) -> Result<Self, PlatformError> {
        match report.len() {
            REPORT_SIZE => Ok(Self {
                cpu: CpuReport::Snp(report),
                endorsements,
            }),
            other => Err(PlatformError::Report(format!(
                "it has {other} bytes instead of {REPORT_SIZE}"
            ))),
        }
    }
}

/// Asks on a thread of its own: hardware is slow.
pub(super) async fn aside<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, PlatformError> + Send + 'static,
) -> Result<T, PlatformError> {
    tokio::task::spawn_blocking(ask).await.unwrap_or_else(|_| {
        Err(PlatformError::Report(
            "the request was interrupted".to_owned(),
        ))
    })
}
