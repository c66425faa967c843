//! What vouches for a trust domain: Intel's TDX module, and the quote that the host has made from its report.
//!
//! The TDREPORT comes from the module and is trusted. The quote passes through the host either way, so the enclave trusts
//! nothing in it: it is for those who verify its signatures.

pub(super) mod device;
pub(crate) mod quotes;

use std::{fs, io, path::Path, sync::Arc};

use chrysalis_attestation::{
    evidence::{CpuReport, Endorsements},
    tdx::event_log::EventLog,
};
use tokio::sync::Mutex;

use super::{
    error::PlatformError,
    signed::{Signed, aside},
    tsm,
};
use crate::transport;
use device::{DEVICE, TDREPORT_SIZE};
use quotes::QuoteError;

/// The host, as its guests address it.
const HOST_CID: u32 = 2;
/// Where Intel's quoting service listens.
const QUOTES_PORT: u32 = 4050;
/// What the firmware measured, event by event. Absent where the firmware keeps no log.
const EVENT_LOG: &str = "/sys/firmware/acpi/tables/data/CCEL";

/// Bytes of a TDREPORT, as the module gave them.
type Bytes = [u8; TDREPORT_SIZE];

/// The TDX module's word about this domain: for the enclave itself, and what a quote is made from.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct TdReport(Box<Bytes>);

impl TdReport {
    /// Where REPORTMACSTRUCT says what kind of report this is; 0x81 is a TD's.
    const KIND: usize = 0;
    /// Where REPORTMACSTRUCT has REPORTDATA.
    const REPORT_DATA: usize = 128;
    /// Where TDINFO, after 512 other bytes, has MRCONFIGID.
    const CONFIGURATION_ID: usize = 512 + 64;

    /// Accepts a report if it is a TD's and answers `report_data`.
    fn parse(bytes: Box<Bytes>, report_data: &[u8; 64]) -> Result<Self, PlatformError> {
        let report = Self(bytes);
        if report.field::<1>(Self::KIND)? != [0x81] {
            return Err(PlatformError::Report(
                "the TDREPORT is not that of a trust domain".to_owned(),
            ));
        }
        if report.field::<64>(Self::REPORT_DATA)? != *report_data {
            return Err(PlatformError::Report(
                "the TDREPORT answers another question".to_owned(),
            ));
        }
        Ok(report)
    }

    /// MRCONFIGID: what the domain was launched with.
    pub(super) fn configuration_id(&self) -> Result<[u8; 48], PlatformError> {
        self.field(Self::CONFIGURATION_ID)
    }

    fn field<const N: usize>(&self, offset: usize) -> Result<[u8; N], PlatformError> {
        self.0
            .get(offset..)
            .and_then(<[u8]>::first_chunk)
            .copied()
            .ok_or_else(|| PlatformError::Report("the TDREPORT ends too early".to_owned()))
    }
}

/// Has the module report with `report_data`.
pub(super) async fn report(report_data: [u8; 64]) -> Result<TdReport, PlatformError> {
    aside(move || {
        let bytes = device::report(&report_data)
            .map_err(|error| PlatformError::Report(format!("{DEVICE}: {error}")))?;
        TdReport::parse(bytes, &report_data)
    })
    .await
}

/// Has `report_data` signed: by the host's quoting service, or else through the kernel, which asks the host's hypervisor.
pub(super) async fn quote(
    report_data: [u8; 64],
    tsm_root: &Arc<Mutex<std::path::PathBuf>>,
) -> Result<Signed, PlatformError> {
    let report = report(report_data).await?;
    let connecting = transport::connect_vsock(HOST_CID, QUOTES_PORT);
    let quote = match quotes::ask(connecting, &report.0).await {
        Ok(quote) => quote,
        Err(error) => {
            tracing::warn!(%error, "no quote over vsock; asking the kernel");
            let root = tsm_root.clone().lock_owned().await;
            aside(move || quote_by_kernel(&root, &report_data, error)).await?
        }
    };
    let event_log = aside(|| Ok(event_log(Path::new(EVENT_LOG)))).await?;
    Ok(Signed {
        cpu: CpuReport::Tdx { quote, event_log },
        endorsements: Endorsements::default(),
    })
}

/// The quote through configfs-tsm. `before` is why the other way gave none; if the kernel has no configfs-tsm, that is the
/// reason that counts.
fn quote_by_kernel(
    root: &Path,
    report_data: &[u8; 64],
    before: QuoteError,
) -> Result<Vec<u8>, PlatformError> {
    if !root.exists() {
        return Err(before.into());
    }
    let answer = tsm::report(root, tsm::Provider::TdxGuest, report_data)?;
    match answer.blob.len() {
        0 => Err(QuoteError::Length(0).into()),
        length if length > quotes::MAX_QUOTE => Err(QuoteError::Length(length).into()),
        _ => Ok(answer.blob),
    }
}

/// The firmware's log, or nothing: without one, a verifier that wants the registers explained refuses the evidence.
fn event_log(path: &Path) -> Vec<u8> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::warn!(%error, "the firmware's event log cannot be read");
            return Vec::new();
        }
    };
    match EventLog::written(&bytes) {
        Ok(log) => log.to_vec(),
        Err(rejection) => {
            tracing::warn!(%rejection, "the firmware's event log is not usable");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: u8, report_data: [u8; 64]) -> Box<Bytes> {
        let mut bytes = Box::new([0; TDREPORT_SIZE]);
        bytes[0] = kind;
        bytes[128..192].copy_from_slice(&report_data);
        bytes[576..624].copy_from_slice(&[7; 48]);
        bytes
    }

    #[test]
    fn reads_what_the_domain_was_launched_with() {
        let report = TdReport::parse(bytes(0x81, [5; 64]), &[5; 64]).unwrap();
        assert_eq!(report.configuration_id().unwrap(), [7; 48]);
    }

    fn why(refused: Result<TdReport, PlatformError>) -> String {
        match refused {
            Err(PlatformError::Report(why)) => why,
            _ => panic!("not refused as a report"),
        }
    }

    #[test]
    fn refuses_a_report_of_something_else() {
        assert_eq!(
            why(TdReport::parse(bytes(0, [5; 64]), &[5; 64])),
            "the TDREPORT is not that of a trust domain"
        );
    }

    #[test]
    fn refuses_a_report_about_another_question() {
        assert_eq!(
            why(TdReport::parse(bytes(0x81, [5; 64]), &[6; 64])),
            "the TDREPORT answers another question"
        );
    }

    /// A tree as the kernel would make it below configfs.
    fn tree(quote: &[u8]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let entry = root.path().join("chrysalis");
        fs::create_dir(&entry).unwrap();
        fs::write(entry.join("provider"), "tdx_guest\n").unwrap();
        fs::write(entry.join("generation"), "1\n").unwrap();
        fs::write(entry.join("outblob"), quote).unwrap();
        root
    }

    #[test]
    fn takes_the_quote_from_the_kernel_where_no_service_answers() {
        let root = tree(b"quote");
        let quote = quote_by_kernel(root.path(), &[5; 64], QuoteError::Stalled).unwrap();
        assert_eq!(quote, b"quote");
        let asked = fs::read(root.path().join("chrysalis/inblob")).unwrap();
        assert_eq!(asked, [5; 64]);
    }

    #[test]
    fn refuses_a_quote_of_the_kernel_that_is_empty_or_too_long() {
        for length in [0, quotes::MAX_QUOTE + 1] {
            let root = tree(&vec![1; length]);
            let refused = quote_by_kernel(root.path(), &[5; 64], QuoteError::Stalled).unwrap_err();
            assert!(
                matches!(refused, PlatformError::Quote(QuoteError::Length(found)) if found == length),
                "{refused}"
            );
        }
    }

    #[test]
    fn says_why_the_service_gave_none_where_the_kernel_has_no_door() {
        let refused =
            quote_by_kernel(Path::new("/nonexistent"), &[5; 64], QuoteError::Stalled).unwrap_err();
        assert!(
            matches!(refused, PlatformError::Quote(QuoteError::Stalled)),
            "{refused}"
        );
    }

    #[test]
    fn a_log_that_is_absent_or_broken_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("CCEL");
        assert_eq!(event_log(&path), Vec::<u8>::new());
        fs::write(&path, [9; 100]).unwrap();
        assert_eq!(event_log(&path), Vec::<u8>::new());
    }
}
