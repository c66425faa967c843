//! What the enclave says about itself: one line per event in the log, and its progress to the host.
//!
//! A machine has no console; the log is the kernel's own, which only the simulated image's command line shows to the host.
//! That is no reason to say more there: neither ever contains a prompt, an answer or anything derived from one. A panic's
//! message may quote the string that caused it, so only its place in the source is reported. Lines from other crates are
//! dropped for the same reason.

use std::{
    fmt,
    fs::OpenOptions,
    io::{self, Write},
    panic,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrysalis_wire::{
    boot::Stage,
    host::{Load, MAX_FAILURE, Status},
};
use rustix::time::{ClockId, clock_gettime};
use tracing::Level;
use tracing_subscriber::{
    filter::Targets,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{failure::Failure, host::Host, process::is_ours};

/// How long a boot waits for the host to note a status: not long, since it is a courtesy.
const STATUS_PATIENCE: Duration = Duration::from_secs(2);

/// The kernel's log, one record per write (Linux's Documentation/ABI/testing/dev-kmsg).
const KERNEL_LOG: &str = "/dev/kmsg";
/// The most bytes in a record, without its level (`PRINTKRB_RECORD_MAX` is 1024, and the kernel uses some of that).
const MAX_RECORD: usize = 900;

/// Opens the log and makes panics say where, never what.
pub(crate) fn open() {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_timer(SinceBoot)
        .with_writer(Log);
    let ours = Targets::new().with_target("chrysalis_enclave", Level::INFO);
    tracing_subscriber::registry().with(lines).with(ours).init();
    panic::set_hook(Box::new(|panicked| {
        let place = panicked
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!(place, "panicked");
    }));
}

/// Where lines go: a process's to its output, the machine's to the kernel's log.
struct Log;

impl MakeWriter<'_> for Log {
    type Writer = Box<dyn Write>;

    fn make_writer(&self) -> Self::Writer {
        if is_ours() {
            Box::new(KernelLog)
        } else {
            Box::new(io::stdout())
        }
    }
}

/// Takes a line at a time. Without a log, such as before /dev is mounted, a line is lost: a log is for people.
struct KernelLog;

impl Write for KernelLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let record = kernel_record(line);
        if let Ok(mut log) = OpenOptions::new().write(true).open(KERNEL_LOG) {
            let _ = log.write_all(&record);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line in the kernel's form: preceded by its level, and no longer than a record may be.
fn kernel_record(line: &[u8]) -> Vec<u8> {
    let mut record = b"<3>".to_vec();
    record.extend(line.iter().take(MAX_RECORD));
    record
}

/// The last words before the end.
pub(crate) fn report_failure(failure: &Failure) {
    tracing::error!(code = failure.code(), hint = failure.hint(), "{failure}");
}

/// Milliseconds since the kernel started, or, if the machine is not ours, since the process did: any wait before that is not
/// part of its boot.
pub(crate) fn since_boot_ms() -> u64 {
    static BEGAN: OnceLock<u64> = OnceLock::new();
    let now = uptime_ms();
    let began = *BEGAN.get_or_init(|| if is_ours() { 0 } else { now });
    now.saturating_sub(began)
}

fn uptime_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let milliseconds = u64::try_from(now.tv_nsec / 1_000_000).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(milliseconds)
}

/// Stamps lines with the time since boot: the host sets the wall clock.
struct SinceBoot;

impl FormatTime for SinceBoot {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        let now = since_boot_ms();
        write!(line, "{:>6}.{:03}", now / 1000, now % 1000)
    }
}

/// Reports how far the enclave has got, in the log and to the host.
#[derive(Clone)]
pub(crate) struct Progress {
    host: Arc<Host>,
}

impl Progress {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self { host }
    }

    /// A stage of the boot was passed.
    pub(crate) async fn passed(&self, stage: Stage) {
        let at_ms = since_boot_ms();
        tracing::info!("{stage}");
        self.passed_at(stage, at_ms).await;
    }

    /// A stage was passed before the host could be told.
    pub(crate) async fn passed_at(&self, stage: Stage, at_ms: u64) {
        let stage = stage.name().to_owned();
        self.tell(Status::Passed { stage, at_ms }).await;
    }

    /// Clients may come.
    pub(crate) async fn serving(&self) {
        let at_ms = since_boot_ms();
        tracing::info!("{}", Stage::Serving);
        self.tell(Status::Serving { at_ms }).await;
    }

    /// The enclave ends.
    pub(crate) async fn failed(&self, failure: &Failure) {
        let mut message = format!("{failure}\nhint: {}", failure.hint());
        let end = (0..=MAX_FAILURE.min(message.len()))
            .rev()
            .find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or(0));
        let code = failure.code().to_owned();
        self.tell(Status::Failed { code, message }).await;
    }

    /// How busy the enclave is.
    pub(crate) async fn load(&self, load: Load) {
        self.tell(Status::Load(load)).await;
    }

    /// It does not matter if the host does not listen: a status is for people.
    async fn tell(&self, status: Status) {
        let _ = tokio::time::timeout(STATUS_PATIENCE, self.host.tell(status)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_level_and_fits_into_the_kernels_log() {
        assert_eq!(kernel_record(b"1.234 booted\n"), b"<3>1.234 booted\n");
        assert_eq!(kernel_record(&[b'x'; 5000]).len(), 3 + MAX_RECORD);
    }
}
