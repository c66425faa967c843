//! Says on stderr what is being done while it takes long. None of this reaches an image.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

const INTERVAL: Duration = Duration::from_secs(2);
/// Between two counts of objects: a kernel's source has thousands of folders to look into.
const RECOUNT: Duration = Duration::from_secs(8);

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
    let line = move |seconds| eprintln!("  {what}{} ({seconds} s)", status());
    every(INTERVAL, line, work)
}

/// Does the work; calls back at every interval that it takes, with the seconds so far.
fn every<T>(interval: Duration, tick: impl Fn(u64) + Send, work: impl FnOnce() -> T) -> T {
    let (done, ended) = channel::<()>();
    let started = Instant::now();
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                tick(started.elapsed().as_secs());
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// A status of what a compiler has done in a folder since now: `: 1204 objects`.
pub(crate) fn objects(folder: &Path) -> impl Fn() -> String + Send {
    counting(folder.to_owned(), RECOUNT)
}

fn counting(folder: PathBuf, recount: Duration) -> impl Fn() -> String + Send {
    let before = count(&folder);
    let newest = Cell::new((Instant::now(), before));
    move || {
        let (counted, _) = newest.get();
        if counted.elapsed() >= recount {
            newest.set((Instant::now(), count(&folder)));
        }
        let (_, have) = newest.get();
        format!(": {} objects", have.saturating_sub(before))
    }
}

/// The object files in a folder and below. What cannot be read, as it is just being removed, does not count.
fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let counts = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => count(&entry.path()),
        Ok(kind) if kind.is_file() => {
            usize::from(entry.file_name().as_encoded_bytes().ends_with(b".o"))
        }
        _ => 0,
    });
    counts.sum()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{process::Command, sync::Mutex};

    #[test]
    fn speaks_at_every_interval_and_counts_what_a_slow_compiler_made() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("old.o"), "").unwrap();
        let said = Mutex::new(Vec::new());
        let status = counting(folder.path().to_owned(), Duration::ZERO);
        let heard = &said;
        let tick = move |_| heard.lock().unwrap().push(status());
        let slow = "touch a.o below/b.o c.c; sleep 1";
        let mut tool = Command::new("sh");
        tool.args(["-c", slow]).current_dir(folder.path());
        every(Duration::from_millis(100), tick, || tool.status().unwrap());
        let said = said.into_inner().unwrap();
        assert!(said.len() > 3, "{said:?}");
        assert_eq!(said.last().map(String::as_str), Some(": 2 objects"));
    }

    #[test]
    fn looks_at_the_objects_only_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let status = counting(folder.path().to_owned(), Duration::from_hours(1));
        fs::write(folder.path().join("a.o"), "").unwrap();
        assert_eq!(status(), ": 0 objects");
    }
}
