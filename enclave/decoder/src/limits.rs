//! What is taken, and what is made.

/// The most bytes of a file. It is held whole, because an M4A file may have its index at its end.
pub(crate) const MAX_FILE: u64 = 64 << 20;
/// Samples per second that are made.
pub(crate) const RATE: u32 = 16_000;
/// The most seconds that are made.
pub(crate) const MAX_SECONDS: u32 = 2 * 60 * 60;
