//! Evidence in transit: a CMW collection (RFC 9999) in deterministic CBOR, with limits. docs/spec/bundle.md defines the format.
//!
//! Trusts nothing. Each value here has exactly one encoding, so that a hash over bytes is a hash over a value.

mod agreement;
mod batch;
pub mod binding;
mod bundle;
mod certificate;
pub mod claims;
mod collection;
mod gpus;
mod items;
pub mod path;
mod saved;
mod served;
mod short;
#[cfg(test)]
mod tests;

pub use agreement::KeyAgreement;
pub use batch::Batch;
pub use certificate::ID_PE_CMW;
pub use gpus::{NO_GPUS, encode_gpus};
pub use saved::{MAX_SAVED, SavedError, SavedSession};
pub use short::{Rest, Short};

use self::path::Path;
use crate::nvidia::{GpuEvidence, ocsp::OcspAnswer};

/// The maximum size of a bundle, in bytes. With one GPU it has 15 KB; its collateral, mostly manifests, adds about a hundred more.
pub const MAX_BUNDLE: usize = 1024 * 1024;
/// The maximum number of certificates in a bundle.
pub const MAX_CERTIFICATES: usize = 16;
/// The maximum number of revocation lists in a bundle.
pub const MAX_CRLS: usize = 8;

/// One machine's evidence. Untrusted until it has walked to [`crate::Trusted`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The CPU's report.
    pub cpu: CpuReport,
    /// Deterministic CBOR of [`self::claims::Claims`]. Bound.
    pub claims: Vec<u8>,
    /// What each GPU answered. Bound, as [`encode_gpus`] encodes it.
    pub gpus: Vec<GpuEvidence>,
    /// Where this question stands among those that the report answers; `None`: it is the only one. Bound.
    pub path: Option<Path>,
    /// What vendors have signed about this platform. How it got here does not matter.
    pub endorsements: Endorsements,
}

/// The CPU's signed report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CpuReport {
    /// AMD SEV-SNP attestation report, 1184 bytes.
    Snp(Vec<u8>),
    /// Intel TDX.
    Tdx {
        /// The quote.
        quote: Vec<u8>,
        /// What was measured into the run-time registers, according to the guest: the CCEL table's data, without the unused area
        /// after it. Empty: none.
        event_log: Vec<u8>,
    },
}

/// What vendors have signed, in any order. Each object counts only by its vendor's signature, no matter who delivered it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endorsements {
    /// AMD's X.509 certificates, DER.
    pub certificates: Vec<Vec<u8>>,
    /// AMD's X.509 revocation lists, DER.
    pub crls: Vec<Vec<u8>>,
    /// What Intel's service says about a platform: the JSON that [`crate::tdx::IntelCollateral::parse`] reads. Empty: none.
    pub tdx: Vec<u8>,
    /// NVIDIA's reference manifests, XML.
    pub rims: Vec<Vec<u8>>,
    /// NVIDIA's OCSP answers. A bundle carries them without the nonce, which proves something only to the party that chose it.
    pub ocsp: Vec<OcspAnswer>,
    /// Rebuilders' statements about images: DSSE envelopes, JSON. They count by the keys that a policy names.
    pub statements: Vec<Vec<u8>>,
}

/// What a verifier has in addition to what the evidence carries: the same vendor-signed objects.
pub type Collateral = Endorsements;
