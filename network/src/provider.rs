//! What directories call a provider.

use chrysalis_attestation::{
    encoding::digest::{Hex, sha256},
    evidence::binding::label,
};

/// What directories call one model of one enclave of one operator: 16 bytes of
/// `SHA-256(label("chrysalis/provider/v1") ‖ operator ‖ receipt key ‖ weights)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderId(pub [u8; 16]);

impl ProviderId {
    /// Of three times 32 bytes.
    pub fn of(operator: &[u8; 32], receipt_key: &[u8; 32], weights: &[u8; 32]) -> Self {
        let digest = sha256(&[
            &label("chrysalis/provider/v1"),
            operator,
            receipt_key,
            weights,
        ]);
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(digest) {
            *to = from;
        }
        Self(id)
    }
}

impl std::fmt::Display for ProviderId {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Hex(self.0).fmt(to)
    }
}
