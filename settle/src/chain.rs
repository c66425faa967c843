//! The hashes of jobs: the head of a tab's chain, and the commitments to request and answer. docs/spec/receipt.md has the same formulas.

use chrysalis_attestation::{encoding::digest::sha256, evidence::binding::label};

use crate::{JobNumber, TabId};

/// The head before the first job: `SHA-256(label("chrysalis/tab/v1") ‖ receipt_key ‖ purse ‖ lane ‖ branch)`.
pub fn first_head(receipt_key: &[u8; 32], tab: &TabId) -> [u8; 32] {
    sha256(&[&label("chrysalis/tab/v1"), receipt_key, &tab.to_bytes()])
}

/// The head after a job: `SHA-256(label("chrysalis/head/v1") ‖ head before ‖ SHA-256(job))`. `job` is its encoding.
pub fn next_head(before: &[u8; 32], job: &[u8]) -> [u8; 32] {
    sha256(&[&label("chrysalis/head/v1"), before, &sha256(&[job])])
}

/// `SHA-256(label("chrysalis/request/v1") ‖ job ‖ SHA-256(body of the request))`. The client's random number salts it.
pub fn request_commitment(job: &JobNumber, body_sha256: &[u8; 32]) -> [u8; 32] {
    sha256(&[&label("chrysalis/request/v1"), job, body_sha256])
}

/// `SHA-256(label("chrysalis/response/v1") ‖ job ‖ SHA-256(body of the answer up to the receipt))`.
pub fn response_commitment(job: &JobNumber, body_sha256: &[u8; 32]) -> [u8; 32] {
    sha256(&[&label("chrysalis/response/v1"), job, body_sha256])
}
