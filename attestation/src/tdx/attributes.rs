//! The bits of `TDATTRIBUTES` and `XFAM`, by name. TDX module ABI specification 348551.

/// The host may debug the TD, and so read its memory.
pub const DEBUG: u64 = 1;
/// The host may profile the TD, which makes it as untrusted as `DEBUG` does.
pub const PROFILING: u64 = 0x70;
/// The TD is bound to service TDs by the extended scheme.
pub const SERVTD_EXT: u64 = 1 << 17;
/// Pages that the host removes or adds do not raise an exception in the TD, so it cannot be tricked by one.
pub const SEPT_VE_DISABLE: u64 = 1 << 28;
/// The TD may be moved to another machine.
pub const MIGRATABLE: u64 = 1 << 29;
/// The TD may use performance counters.
pub const PERFMON: u64 = 1 << 63;

/// Reserved bits: 1 to 3, 7 to 15, 23 to 26, 32 to 61. Those for profiling have their own rejection.
pub const RESERVED: u64 = 0x3FFF_FFFF_0780_FF8E;

/// x87 and SSE state, which every TD has.
pub const XFAM_ALWAYS: u64 = 3;
/// The features that a TD may use.
pub const XFAM_KNOWN: u64 = 0x6_DBE7;
