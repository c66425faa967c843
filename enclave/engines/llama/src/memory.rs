//! Freed memory is wiped: the next conversation cannot find what the previous one left behind.

use anyhow::ensure;

/// Blocks of this size and more come from the kernel one by one and go back to it when freed; the kernel hands out zeroes.
const FROM_THE_KERNEL: libc::c_int = 64 * 1024;
/// What freed smaller blocks are filled with.
const WIPED: libc::c_int = 0xa5;

/// Makes the C allocator, which llama.cpp and Rust share, wipe what is freed. The KV cache, the activations, the logits and
/// the texts of a generation are gone when it ends; of blocks under about 1 KiB, glibc keeps a few per size unwiped until
/// they are used again.
#[allow(unsafe_code)]
pub(crate) fn scrub_what_is_freed() -> anyhow::Result<()> {
    // SAFETY: mallopt takes two integers and no pointer, and this is the only thread.
    let set = unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, FROM_THE_KERNEL) == 1
            && libc::mallopt(libc::M_PERTURB, WIPED) == 1
    };
    ensure!(
        set,
        "the C library cannot wipe freed memory; build the worker against glibc"
    );
    Ok(())
}
