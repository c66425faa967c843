//! What virtual TPMs of Azure said, as its guests write it down.

use std::path::Path;

use chrysalis_attestation::azure::vtpm::Quoted;
use serde_json::Value;

use crate::expected::bytes;

const AS_WRITTEN: &str = "as its source writes it";

/// The quote of a vector's virtual TPM, in whichever of the four shapes of JSON its source has.
pub(crate) struct TpmQuote {
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) pcrs: Vec<[u8; 32]>,
}

impl TpmQuote {
    pub(crate) fn of(vector: &Path) -> Self {
        let evidence: Value =
            serde_json::from_slice(&bytes(vector.join("evidence.json"))).expect(AS_WRITTEN);
        let places = ["/quote", "/tpm_quote", "/evidence/tpm_quote"];
        let quote = places.iter().find_map(|place| evidence.pointer(place));
        let quote = quote.expect("a quote");
        let decoded = |value: &Value| -> Vec<u8> {
            match value {
                Value::String(text) => hex::decode(text).expect(AS_WRITTEN),
                _ => serde_json::from_value(value.clone()).expect(AS_WRITTEN),
            }
        };
        let pcrs = quote["pcrs"].as_array().expect(AS_WRITTEN).iter();
        Self {
            message: decoded(&quote["message"]),
            signature: decoded(&quote["signature"]),
            pcrs: pcrs
                .map(|pcr| decoded(pcr).try_into().expect(AS_WRITTEN))
                .collect(),
        }
    }

    /// What it is checked against: this nonce.
    pub(crate) fn asked<'a>(&'a self, nonce: &'a [u8]) -> Quoted<'a> {
        Quoted {
            quote: &self.message,
            signature: &self.signature,
            pcrs: Some(&self.pcrs),
            nonce: Some(nonce),
            pcrs_unchecked: None,
        }
    }
}
