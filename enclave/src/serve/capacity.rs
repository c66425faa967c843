//! How many clients the machine has room for: a connection takes memory and an open file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::machine::Memory;

/// Connections on any machine, and on the largest.
const LEAST: usize = 192;
const MOST: usize = 10_240;
/// What an idle connection takes, with as much again to spare: 36 KiB were measured.
const KIB_EACH: u64 = 64;
/// The part of the machine's memory that idle connections may take all together: one of so many.
const SHARE: u64 = 16;
/// Open files for everything else: rooms, engines' sockets, disks, the host.
const RESERVED: usize = 512;

/// The most connections after their handshakes. Raises this process's limit of open files for them.
pub(super) fn connections(handshakes: usize) -> usize {
    let wanted = by_memory(Memory::now().unwrap_or_default());
    let others = handshakes.saturating_add(RESERVED);
    by_files(wanted, others, raise(wanted.saturating_add(others)))
}

fn by_memory(memory: Memory) -> usize {
    let fit = memory.total_kib / SHARE / KIB_EACH;
    usize::try_from(fit).unwrap_or(MOST).clamp(LEAST, MOST)
}

/// As many as `allowed` open files leave room for.
fn by_files(wanted: usize, others: usize, allowed: Option<usize>) -> usize {
    allowed.map_or(wanted, |allowed| {
        wanted.min(allowed.saturating_sub(others)).max(1)
    })
}

/// How many files this process may have open now, at best `files`; none if there is no limit.
fn raise(files: usize) -> Option<usize> {
    let wanted = u64::try_from(files).ok();
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some() && limit.current < wanted {
        // Only root gets beyond the maximum.
        let beyond = Rlimit {
            current: wanted,
            maximum: limit
                .maximum
                .max(wanted)
                .filter(|_| limit.maximum.is_some()),
        };
        let most = Rlimit {
            current: limit.maximum.min(wanted).or(wanted),
            ..limit
        };
        let _ = setrlimit(Resource::Nofile, beyond).or_else(|_| setrlimit(Resource::Nofile, most));
    }
    let current = getrlimit(Resource::Nofile).current?;
    Some(usize::try_from(current).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mib: u64) -> usize {
        by_memory(Memory {
            total_kib: mib * 1024,
            ..Memory::default()
        })
    }

    #[test]
    fn a_larger_machine_holds_more() {
        assert_eq!(of(0), LEAST);
        assert_eq!(of(128), LEAST);
        assert_eq!(of(1024), 1024);
        assert_eq!(of(64 * 1024), MOST);
    }

    #[test]
    fn open_files_bound_it() {
        assert_eq!(by_files(1024, 576, None), 1024);
        assert_eq!(by_files(1024, 576, Some(1600)), 1024);
        assert_eq!(by_files(1024, 576, Some(1024)), 448);
        assert_eq!(by_files(1024, 576, Some(100)), 1);
    }

    #[test]
    fn the_limit_is_raised_as_far_as_asked() {
        let before = getrlimit(Resource::Nofile);
        let Some(files) = before.current else {
            return;
        };
        let lower = Rlimit {
            current: Some(files - 1),
            ..before
        };
        setrlimit(Resource::Nofile, lower).unwrap();
        let files = usize::try_from(files).unwrap();
        assert_eq!(raise(1), Some(files - 1));
        assert_eq!(raise(files), Some(files));
    }
}
