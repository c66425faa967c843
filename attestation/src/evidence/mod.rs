//! The evidence as it travels: a CMW collection (RFC 9999) in deterministic CBOR, with limits. docs/spec/bundle.md has the bytes.
//!
//! Trusts nothing. What is decoded here is one value for one sequence of bytes, so that a hash over bytes is a hash over a value.

pub mod binding;
mod certificate;
pub mod claims;
mod gpus;
mod items;
#[cfg(test)]
mod tests;

pub use certificate::ID_PE_CMW;
pub use gpus::{NO_GPUS, encode_gpus};

use crate::{
    Rejection,
    encoding::cbor,
    nvidia::{GpuEvidence, ocsp::OcspAnswer},
};

/// The most bytes a bundle may have. One of a GPU has 15 KB; its collateral, the manifests above all, has some hundred more.
pub const MAX_BUNDLE: usize = 1024 * 1024;
/// The most certificates a bundle may have.
pub const MAX_CERTIFICATES: usize = 16;
/// The most revocation lists a bundle may have.
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
    /// What vendors have signed about this platform: untrusted transport.
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
        /// What the guest says was measured into the run-time registers: the CCEL table's data, without the unused area behind
        /// it. Empty: none.
        event_log: Vec<u8>,
    },
}

/// What vendors have signed, in any order. Whoever carries it, each object counts by its vendor's signature alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endorsements {
    /// X.509 certificates of AMD's, DER.
    pub certificates: Vec<Vec<u8>>,
    /// X.509 revocation lists of AMD's, DER.
    pub crls: Vec<Vec<u8>>,
    /// What Intel's service says about a platform: the JSON that [`crate::tdx::IntelCollateral::parse`] reads. Empty: none.
    pub tdx: Vec<u8>,
    /// NVIDIA's reference manifests, XML.
    pub rims: Vec<Vec<u8>>,
    /// NVIDIA's OCSP answers. A bundle carries them without the nonce, which proves something only to the one who drew it.
    pub ocsp: Vec<OcspAnswer>,
    /// What rebuilders say about images: DSSE envelopes, JSON. They count by the keys that a policy names.
    pub statements: Vec<Vec<u8>>,
}

/// What a verifier brings besides what the evidence carries: the same vendor-signed objects.
pub type Collateral = Endorsements;

impl Evidence {
    /// Encodes the bundle.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&items::wrap(self))
    }

    /// Decodes a bundle; anything but the one deterministic encoding is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() > MAX_BUNDLE {
            return Err(Rejection::BundleTooLarge { found: bytes.len() });
        }
        let malformed = |what| Rejection::BundleMalformed { what };
        let value = cbor::decode(bytes).ok_or(malformed("not deterministic CBOR"))?;
        items::unwrap(cbor::Fields::of(value).ok_or(malformed("not a map"))?)
    }
}
