//! What a host sends to a directory: a listing, and the evidence that its offer names.

use chrysalis_attestation::{
    encoding::cbor::{self, Fields, Value},
    evidence::MAX_BUNDLE,
};
use chrysalis_settle::EpochEvidence;

use crate::{MAX_LISTING, Rejection};

/// The most bytes of evidence: a bundle, a key, and what stands around them.
const MAX_EVIDENCE: usize = MAX_BUNDLE + 4096;
/// The most bytes of all of it.
pub const MAX_UPLOAD: usize = MAX_EVIDENCE + MAX_LISTING + 64;

/// The body of `PUT /v1/listings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// A signed listing, encoded.
    pub listing: Vec<u8>,
    /// The epoch's evidence; it may be left out where the directory has it.
    pub evidence: Option<EpochEvidence>,
}

impl Upload {
    /// Deterministic CBOR of `{listing: bytes, evidence: bytes}`, or of the first alone.
    pub fn encode(&self) -> Vec<u8> {
        let text = |name: &str| Value::Text(name.to_owned());
        let listing = (text("listing"), Value::Bytes(self.listing.clone()));
        let evidence = self.evidence.as_ref();
        let evidence = evidence.map(|it| (text("evidence"), Value::Bytes(it.encode())));
        cbor::encode(&Value::Map([listing].into_iter().chain(evidence).collect()))
    }

    /// Reads the one encoding. Nothing is verified.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let wrong = |what| Rejection::UploadMalformed { what };
        if bytes.len() > MAX_UPLOAD {
            return Err(wrong("it is too long"));
        }
        let value = cbor::decode(bytes).ok_or(wrong("not deterministic"))?;
        let mut fields = Fields::of(value).ok_or(wrong("not a map"))?;
        let listing = fields.take("listing").and_then(cbor::bytes);
        let listing = listing.ok_or(wrong("no listing"))?;
        let evidence = match fields.take("evidence") {
            None => None,
            Some(value) => {
                let bytes = cbor::bytes(value).filter(|bytes| bytes.len() <= MAX_EVIDENCE);
                let bytes = bytes.ok_or(wrong("its evidence is no bytes, or too many"))?;
                let read = EpochEvidence::decode(&bytes);
                Some(read.map_err(|_| wrong("its evidence is not {spki, bundle}"))?)
            }
        };
        match fields.left_over() {
            Some(_) => Err(wrong("an unknown field")),
            None => Ok(Self { listing, evidence }),
        }
    }
}
