//! What this program frees, it wipes: prompts, answers, and the keys of TLS connections, of which nobody else's code knows that they
//! are secret. So nothing is left of a client in memory once the connection has ended, and nothing of any once all have.
//!
//! The kernel wipes the pages that a process gives back (`INIT_ON_FREE_DEFAULT_ON`); this is about those that it keeps.

#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr,
};

/// The system's allocator, which gives no memory back unwiped.
struct Wiping;

#[global_allocator]
static ALLOCATOR: Wiping = Wiping;

// SAFETY: the system's allocator does all the work, with the layouts that it is given; memory is written to only between the caller's
// last use and the moment when the system gets it back.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promises it is a whole allocation of this layout, and no longer used.
        unsafe {
            wipe(place, layout.size());
            System.dealloc(place, layout);
        }
    }

    // `realloc` is the trait's own: a new allocation, a copy, and `dealloc` of the old. The system's would free the old unwiped.
}

/// Zeros, which the compiler may not leave out although nobody reads them.
///
/// # Safety
/// There are so many bytes at this place, and nobody uses them.
unsafe fn wipe(place: *mut u8, bytes: usize) {
    // SAFETY: as promised.
    unsafe { ptr::write_bytes(place, 0, bytes) };
    // What is written may be read from here on, for all that the compiler knows.
    std::hint::black_box(place);
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::FileExt};

    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    const BYTES: usize = 4096;
    const SECRET: u8 = 0xA5;
    const PIECE: usize = 16;

    /// What this process's memory has at a place, whoever it belongs to by now.
    fn at(place: usize) -> [u8; BYTES] {
        // Enclaves of other tests have closed this process to debuggers, and this is one.
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        let memory = File::open("/proc/self/mem").unwrap();
        let mut bytes = [0; BYTES];
        memory.read_exact_at(&mut bytes, place as u64).unwrap();
        bytes
    }

    /// How many pieces of them are the secret's.
    fn left(bytes: &[u8]) -> usize {
        let pieces = bytes.chunks(PIECE);
        pieces.filter(|piece| **piece == [SECRET; PIECE]).count()
    }

    #[test]
    fn what_is_freed_is_wiped() {
        let secret = vec![SECRET; BYTES];
        let place = secret.as_ptr() as usize;
        assert_eq!(left(&at(place)), BYTES / PIECE);
        drop(secret);
        assert_eq!(left(&at(place)), 0);
    }

    #[test]
    fn what_moved_as_it_grew_is_wiped_where_it_was() {
        let mut secret = vec![SECRET; BYTES];
        let before = secret.as_ptr() as usize;
        secret.reserve_exact(64 * BYTES);
        assert_ne!(secret.as_ptr() as usize, before, "it did not move");
        assert_eq!(left(&secret), BYTES / PIECE);
        assert_eq!(left(&at(before)), 0);
    }
}
