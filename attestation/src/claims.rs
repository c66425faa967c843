//! What the enclave says about itself. Every field is bound: hashed into what the hardware signs.

use crate::Rejection;

/// The profile that this library reads.
pub const PROFILE: &str = "tag:chrysalis,2026:enclave/1";

/// The claims of an enclave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// [`PROFILE`].
    pub profile: String,
    /// The enclave program's version.
    pub release: String,
    /// SHA-256 of the configuration; equals HOST_DATA.
    pub configuration: [u8; 32],
    /// The model's name in the API.
    pub model: String,
    /// The dm-verity root of the weights.
    pub weights: [u8; 32],
    /// SHA-256 of the chat template.
    pub template: [u8; 32],
    /// The engine and its version.
    pub engine: String,
    /// Whether the loaded model gave the known answer; an enclave without it does not serve.
    pub known_answer: bool,
    /// Counts re-attestations since boot, from 0.
    pub epoch: u64,
    /// Unix seconds when the epoch began, by the guest's clock, which the host may set: a hint.
    pub epoch_began: i64,
}

impl Claims {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// Decodes the one deterministic encoding.
    pub fn decode(_bytes: &[u8]) -> Result<Self, Rejection> {
        unimplemented!()
    }
}
