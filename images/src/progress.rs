//! Says on stderr what is being done while it takes long. None of this reaches an image.

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

const INTERVAL: Duration = Duration::from_secs(2);

/// Does the work; prints a line every two seconds that it takes.
pub(crate) fn during<T>(what: &str, work: impl FnOnce() -> T) -> T {
    showing(what, String::new, work)
}

/// The same, with the newest status in each line.
pub(crate) fn showing<T>(
    what: &str,
    status: impl Fn() -> String + Send,
    work: impl FnOnce() -> T,
) -> T {
    let (done, ended) = channel::<()>();
    let started = Instant::now();
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let seconds = started.elapsed().as_secs();
                eprintln!("  {what}{} ({seconds} s)", status());
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// `: 12.3 of 34.4 MB`
pub(crate) fn of(have: u64, total: u64) -> String {
    format!(": {} of {} MB", megabytes(have), megabytes(total))
}

/// Millions of bytes with one decimal.
pub(crate) fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}
