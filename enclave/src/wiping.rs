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
    use super::*;

    /// What is left at the place of an allocation after it was freed. Only the system's own bookkeeping is written there since, in
    /// the first words.
    #[test]
    fn what_is_freed_is_wiped_and_so_is_what_grew() {
        const BYTES: usize = 4096;
        let layout = Layout::array::<u8>(BYTES).unwrap();
        // SAFETY: the arena is a test's own memory; `wipe` gets all of it.
        unsafe {
            let place = System.alloc(layout);
            ptr::write_bytes(place, 0xA5, BYTES);
            wipe(place, BYTES);
            assert!((0..BYTES).all(|at| place.add(at).read_volatile() == 0));
            System.dealloc(place, layout);
        }
        let mut grows = vec![0xA5_u8; BYTES];
        let before = grows.as_ptr() as usize;
        grows.reserve_exact(64 * BYTES);
        assert_ne!(grows.as_ptr() as usize, before, "it did not move");
        assert!(grows.iter().all(|byte| *byte == 0xA5));
    }
}
