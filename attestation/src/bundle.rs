//! The evidence as it travels: a CMW collection (RFC 9999) in deterministic CBOR, with limits.

use crate::Rejection;

/// The most bytes a bundle may have.
pub const MAX_BUNDLE: usize = 256 * 1024;
/// The extension of a certificate that carries a bundle: id-pe-cmw.
pub const ID_PE_CMW: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 35];

/// One machine's evidence. Untrusted until it has walked to [`crate::Trusted`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The CPU's report.
    pub cpu: CpuReport,
    /// Deterministic CBOR of [`crate::claims::Claims`]. Bound.
    pub claims: Vec<u8>,
    /// Deterministic CBOR array of the GPUs' evidence; `0x80`, the empty array, without GPUs. Bound.
    pub gpus: Vec<u8>,
    /// What vendors have signed about this platform: untrusted transport.
    pub endorsements: Endorsements,
}

/// The CPU's signed report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CpuReport {
    /// AMD SEV-SNP attestation report, 1184 bytes.
    Snp(Vec<u8>),
}

/// DER certificates and revocation lists, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endorsements {
    /// X.509 certificates, DER.
    pub certificates: Vec<Vec<u8>>,
    /// X.509 revocation lists, DER.
    pub crls: Vec<Vec<u8>>,
}

impl Evidence {
    /// Encodes the bundle.
    pub fn encode(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// Decodes a bundle; anything but the one deterministic encoding is refused.
    pub fn decode(_bytes: &[u8]) -> Result<Self, Rejection> {
        unimplemented!()
    }

    /// The bundle inside a certificate's id-pe-cmw extension, and the DER of the certificate's SubjectPublicKeyInfo.
    pub fn from_certificate(_der: &[u8]) -> Result<(Self, Vec<u8>), Rejection> {
        unimplemented!()
    }
}
