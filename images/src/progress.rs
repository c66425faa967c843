//! Says on stderr what takes long, while it does. Nothing of it reaches an image.

use std::{
    path::Path,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

const INTERVAL: Duration = Duration::from_secs(2);

/// Does the work; every two seconds that it takes, prints a line with the newest status and the time it has taken.
pub fn during<T>(what: &str, status: impl Fn() -> String + Send, work: impl FnOnce() -> T) -> T {
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

/// `: 12.3 of 34.4 MB`, by a file's length.
pub fn of_file(path: &Path, size: u64) -> String {
    let have = path.metadata().map_or(0, |metadata| metadata.len());
    format!(": {} of {} MB", megabytes(have), megabytes(size))
}

/// Millions of bytes with one decimal.
pub fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}
