//! How long what is handed over may be.

/// Reports, certificates, revocation lists, manifests and OCSP answers are far shorter.
pub const MAX_EVIDENCE: usize = 1024 * 1024;
/// JSON around evidence.
pub const MAX_JSON: usize = 4 * 1024 * 1024;
/// A policy with a thousand digests; read as TOML it takes up to a hundred times the room.
pub const MAX_POLICY: usize = 256 * 1024;
/// The most files of one kind: with the limits above, all of them fit into 64 MiB.
pub const MAX_FILES: usize = 16;
/// A request or an answer, a recording included.
pub const MAX_CONTENT: usize = 32 * 1024 * 1024;
