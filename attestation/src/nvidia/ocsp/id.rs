//! How OCSP identifies a certificate.

/// The names in messages of the two certificates of a question.
pub(super) const QUESTIONED: &str = "questioned";
pub(super) const ISSUING: &str = "issuing";

/// 1.3.14.3.2.26
pub(super) const OID_SHA1: &[u8] = &[0x2B, 0x0E, 0x03, 0x02, 0x1A];
/// 2.16.840.1.101.3.4.2.1
pub(super) const OID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 2.16.840.1.101.3.4.2.2
pub(super) const OID_SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
/// 1.3.6.1.5.5.7.48.1.2
pub(super) const OID_NONCE: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];

/// Identifies a certificate by its issuer and serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CertificateId<'a> {
    pub(super) hash: &'a [u8],
    pub(super) issuer_name: &'a [u8],
    pub(super) issuer_key: &'a [u8],
    pub(super) serial: &'a [u8],
}
