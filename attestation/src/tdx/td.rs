//! What is known about a TD that passed.

use serde::Serialize;

use super::{event_log::EventLog, pck::Platform, report::TdReport, status::Status, tcb::Lag};
use crate::Time;

/// A TD that passed. Every field is signed by hardware or by Intel, except where its doc says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Td {
    /// The quote's version.
    pub version: u16,
    /// The TD's report.
    pub report: TdReport,
    /// The platform, from its certificate.
    pub platform: Platform,
    /// The quoting enclave's level.
    pub qe_svn: u16,
    /// How current the platform is, from all its parts.
    pub status: Status,
    /// How current the platform's components are.
    pub platform_status: Status,
    /// How current the TDX module is; `None` before version 1, where it counts as a component.
    pub module_status: Option<Status>,
    /// How current the quoting enclave is.
    pub qe_status: Status,
    /// Everything older than the newest level that Intel calls current, by component.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lagging: Vec<Lag>,
    /// Advisories that the matching levels name.
    pub advisories: Vec<String>,
    /// When the matching level was set.
    pub tcb_date: Time,
    /// The evaluation number of TCB info and QE identity, the lower of the two.
    pub evaluation: u32,
    /// Every event that explains the run-time registers, if there was a log.
    pub event_log: Option<EventLog>,
    /// How many bytes follow the quote. Only a hint: nothing covers them, and nothing reads them.
    pub trailing_bytes: usize,
}
