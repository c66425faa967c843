//! Counts what an input costs in memory. The count is of the whole process, so inputs are tried one at a time.

use peak_alloc::PeakAlloc;

/// The most that one input may cost: half of the 64 MB that the command line promises for all of its files together.
pub const MAX_HEAP: usize = 32 * 1024 * 1024;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

pub(crate) fn bounded(name: &str, run: impl FnOnce()) -> usize {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    run();
    let cost = HEAP.peak_usage().saturating_sub(before);
    assert!(
        cost <= MAX_HEAP,
        "{name}: an input took {cost} bytes of memory"
    );
    cost
}
