//! The verdict as programs read it.

use chrysalis_attestation::Verdict;
use serde_json::Value;

/// One object, as docs/spec/verdict.schema.json describes it.
pub fn json(verdict: &Verdict<'_>) -> Value {
    serde_json::to_value(verdict).expect("texts, numbers and lists are always encodable")
}
