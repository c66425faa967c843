//! How large a guest can be.

/// The most virtual CPUs of a guest. Each costs a page of the digest's work.
pub const MAX_VCPUS: u32 = 512;

/// The most memory of a guest, in MiB: 64 TiB.
pub const MAX_MEMORY: u64 = 64 * 1024 * 1024;
