//! Taking more than one's share.

use std::{fs::File, io::Write, path::Path, thread, time::Duration};

const MIB: usize = 1 << 20;
/// Far more than any bound of the tests.
const MANY: usize = 2000;

/// How much there was of each, one a line: files in /tmp in MiB, names in /tmp, threads, and processes if asked.
pub(crate) fn all(processes: bool) -> String {
    let files = files();
    let names = names();
    let forks = if processes { forks() } else { 0 };
    format!(
        "files {files}\nnames {names}\nprocesses {forks}\nthreads {}\n",
        threads()
    )
}

fn files() -> usize {
    let path = Path::new("/tmp/flood");
    let mut file = File::create(path).unwrap();
    let piece = vec![1; MIB];
    let written = (0..MANY)
        .take_while(|_| file.write_all(&piece).is_ok())
        .count();
    std::fs::remove_file(path).unwrap();
    written
}

fn names() -> usize {
    let place = |name: usize| format!("/tmp/n{name}");
    let made = (0..100_000)
        .take_while(|name| File::create(place(*name)).is_ok())
        .count();
    (0..made).for_each(|name| std::fs::remove_file(place(name)).unwrap());
    made
}

fn threads() -> usize {
    let sleep = || thread::sleep(Duration::from_mins(10));
    let one = || thread::Builder::new().stack_size(MIB / 16).spawn(sleep);
    (0..MANY).take_while(|_| one().is_ok()).count()
}

fn forks() -> usize {
    let mut children = Vec::new();
    while children.len() < MANY {
        // SAFETY: the child makes one call, and ends.
        match unsafe { libc::fork() } {
            -1 => break,
            0 => loop {
                // SAFETY: takes nothing.
                unsafe { libc::pause() };
            },
            child => children.push(child),
        }
    }
    for child in &children {
        // SAFETY: both take numbers alone, and an address that may be null.
        unsafe {
            libc::kill(*child, libc::SIGKILL);
            libc::waitpid(*child, std::ptr::null_mut(), 0);
        }
    }
    children.len()
}

/// MiB of memory that can be written to.
pub(crate) fn memory() -> usize {
    let mut taken = 0;
    while taken < MANY {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping that nothing else uses.
        let piece = unsafe { libc::mmap(std::ptr::null_mut(), MIB, rights, flags, -1, 0) };
        if piece == libc::MAP_FAILED {
            break;
        }
        taken += 1;
    }
    taken
}
