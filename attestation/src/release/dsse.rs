//! DSSE envelopes (github.com/secure-systems-lab/dsse, protocol 1.0.2): a payload, its type, and signatures over both.
//!
//! A key's name in an envelope is an unsigned hint: the signing key is found by trying those that are trusted.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::key::{KeyId, PublicKey};
use crate::{Rejection, encoding::base64};

/// The maximum size of an envelope, in bytes. That of a release with a hundred shapes has 40 KB.
pub const MAX_ENVELOPE: usize = 1024 * 1024;
/// The maximum number of signatures of an envelope.
const MAX_SIGNATURES: usize = 16;
/// The payload type of an in-toto statement (in-toto Attestation Framework 1.0, envelope).
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An envelope as received. Its payload is not trusted until [`Envelope::payload_signed_by`] returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    payload_type: String,
    signatures: Vec<(Option<String>, Vec<u8>)>,
}

/// Its JSON. Additional names are refused: no signature would cover them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    sig: String,
}

/// What is signed: the pre-authentication encoding, version 1.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let lengths = (payload_type.len(), payload.len());
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", lengths.0, lengths.1).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

impl Envelope {
    /// An envelope for an in-toto statement, not signed yet.
    pub fn new(payload: Vec<u8>) -> Self {
        Self::of(PAYLOAD_TYPE, payload)
    }

    /// An envelope for another payload, not signed yet.
    pub fn of(payload_type: &str, payload: Vec<u8>) -> Self {
        Self {
            payload,
            payload_type: payload_type.to_owned(),
            signatures: Vec::new(),
        }
    }

    /// Reads an envelope.
    pub fn parse(json: &[u8]) -> Result<Self, Rejection> {
        let malformed = |what: String| Rejection::EnvelopeMalformed { what };
        if json.len() > MAX_ENVELOPE {
            return Err(malformed(format!("it has more than {MAX_ENVELOPE} bytes")));
        }
        let wire: Wire =
            serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
        if wire.signatures.len() > MAX_SIGNATURES {
            return Err(malformed(format!("more than {MAX_SIGNATURES} signatures")));
        }
        let decode = |text: &str, what: &str| {
            decode(text).ok_or_else(|| malformed(format!("`{what}` is not base64")))
        };
        let signatures = wire.signatures.into_iter().map(|signature| {
            let WireSignature { keyid, sig } = signature;
            Ok((keyid, decode(&sig, "sig")?))
        });
        Ok(Self {
            payload: decode(&wire.payload, "payload")?,
            payload_type: wire.payload_type,
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }

    /// The bytes to sign.
    pub fn to_be_signed(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// The same with one more signature.
    #[must_use]
    pub fn with_signature(mut self, key: &PublicKey, signature: Vec<u8>) -> Self {
        self.signatures
            .push((Some(key.id().to_string()), signature));
        self
    }

    /// Its JSON, on one line.
    pub fn to_json(&self) -> String {
        let wire = Wire {
            payload: BASE64.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: self
                .signatures
                .iter()
                .map(|(keyid, signature)| WireSignature {
                    keyid: keyid.clone(),
                    sig: BASE64.encode(signature),
                })
                .collect(),
        };
        let mut json = serde_json::to_string(&wire).expect("strings always serialise");
        json.push('\n');
        json
    }

    /// The keys that the envelope names, which proves nothing: to help a person find the right one.
    pub fn claimed_keys(&self) -> impl Iterator<Item = &str> {
        self.signatures
            .iter()
            .filter_map(|(keyid, _)| keyid.as_deref())
    }

    /// The payload of an in-toto statement, if this key signed it.
    pub fn payload_signed_by(&self, key: &PublicKey) -> Result<&[u8], Rejection> {
        self.payload_of(PAYLOAD_TYPE, key)
    }

    /// The payload, if it is of this type and this key signed it.
    pub fn payload_of(&self, wanted: &'static str, key: &PublicKey) -> Result<&[u8], Rejection> {
        self.payload_of_type(wanted)?;
        self.payload_signed(key)
    }

    /// Refuses a payload of another type before any key is tried: a signature for one type does not count for another.
    pub(super) fn payload_of_type(&self, wanted: &'static str) -> Result<(), Rejection> {
        if self.payload_type == wanted {
            return Ok(());
        }
        let found = self.payload_type.clone();
        Err(Rejection::EnvelopePayloadType { found, wanted })
    }

    /// The payload, of any type, if this key signed it.
    pub(super) fn payload_signed(&self, key: &PublicKey) -> Result<&[u8], Rejection> {
        if self.signatures.is_empty() {
            return Err(Rejection::EnvelopeUnsigned);
        }
        if self.is_signed_by(key) {
            return Ok(&self.payload);
        }
        let key_id: KeyId = key.id();
        let named = key_id.to_string();
        if self.claimed_keys().any(|claimed| claimed == named) {
            Err(Rejection::EnvelopeSignature { key: key_id })
        } else {
            Err(Rejection::EnvelopeKeyUnknown { wanted: key_id })
        }
    }

    /// Whether one of the signatures is this key's.
    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let message = self.to_be_signed();
        let mut signatures = self.signatures.iter();
        signatures.any(|(_, signature)| key.signed(&message, signature))
    }

    /// The payload, not verified yet: a root statement names the key that must have signed it.
    pub(super) fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Either alphabet, padded: the protocol lets producers choose.
fn decode(text: &str) -> Option<Vec<u8>> {
    base64::decode(text).or_else(|| base64::decode_url(text))
}
