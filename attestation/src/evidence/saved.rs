//! A conversation's evidence with what it was bound to, in one file: anyone who has it can repeat every check offline.

use std::{error::Error, fmt};

use serde_cbor::Value;

use super::{KeyAgreement, MAX_BUNDLE, binding::Session};

/// The most bytes of a saved session: a bundle and little else.
pub const MAX_SAVED: usize = MAX_BUNDLE + 4096;
/// The most bytes of a public key; an RSA-8192 key is shorter.
const MAX_SPKI: usize = 2048;

/// Evidence as it arrived, and the conversation it answered. Nothing in it is secret, and nothing in it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSession {
    spki: Vec<u8>,
    nonce: [u8; 32],
    exporter: [u8; 32],
    bundle: Vec<u8>,
    agreement: Option<KeyAgreement>,
}

/// A file that is not a saved session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SavedError {
    /// Over [`MAX_SAVED`].
    TooLong(usize),
    /// Not the map that `verify --save` writes.
    Malformed,
}

impl fmt::Display for SavedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(length) => write!(
                f,
                "a saved session has at most {MAX_SAVED} bytes; this has {length}"
            ),
            Self::Malformed => f.write_str(
                "this is not a saved session; make one with `chrysalis verify URL --save FILE`",
            ),
        }
    }
}

impl Error for SavedError {}

impl SavedSession {
    /// Saves what a connection saw.
    pub fn new(spki: Vec<u8>, nonce: [u8; 32], exporter: [u8; 32], bundle: Vec<u8>) -> Self {
        Self {
            spki,
            nonce,
            exporter,
            bundle,
            agreement: None,
        }
    }

    /// With how the connection's keys were agreed. Without this, a policy that wants a post-quantum agreement refuses.
    #[must_use]
    pub fn agreed(mut self, agreement: Option<KeyAgreement>) -> Self {
        self.agreement = agreement;
        self
    }

    /// How the connection's keys were agreed, if that is known.
    pub fn agreement(&self) -> Option<KeyAgreement> {
        self.agreement
    }

    /// DER `SubjectPublicKeyInfo` of the peer's TLS key.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The evidence, encoded.
    pub fn bundle(&self) -> &[u8] {
        &self.bundle
    }

    /// The connection's RFC 9266 `tls-exporter`, which only its two ends know.
    pub fn exporter(&self) -> &[u8; 32] {
        &self.exporter
    }

    /// The conversation that the evidence must be about.
    pub fn session(&self) -> Session {
        Session::Asked {
            nonce: self.nonce,
            exporter: self.exporter,
        }
    }

    /// Deterministic CBOR (RFC 8949 §4.2.1) of `{spki, nonce, bundle, exporter}`, and `agreement`, a text, if it is known.
    pub fn encode(&self) -> Vec<u8> {
        let entry = |key: &str, bytes: &[u8]| (Value::Text(key.into()), Value::Bytes(bytes.into()));
        let agreement = self.agreement.map(|it| {
            let name = Value::Text(it.name().into());
            (Value::Text("agreement".into()), name)
        });
        let entries = [
            entry("spki", &self.spki),
            entry("nonce", &self.nonce),
            entry("bundle", &self.bundle),
            entry("exporter", &self.exporter),
        ];
        let map = Value::Map(entries.into_iter().chain(agreement).collect());
        serde_cbor::to_vec(&map).expect("a map of byte strings and a text is always encodable")
    }

    /// Decodes a session; accepts only the one deterministic encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, SavedError> {
        if bytes.len() > MAX_SAVED {
            return Err(SavedError::TooLong(bytes.len()));
        }
        let saved = Self::fields(bytes).ok_or(SavedError::Malformed)?;
        // Two encodings of one session would be two files that one digest cannot name.
        if saved.encode() == bytes {
            Ok(saved)
        } else {
            Err(SavedError::Malformed)
        }
    }

    fn fields(bytes: &[u8]) -> Option<Self> {
        let Ok(Value::Map(mut map)) = serde_cbor::from_slice(bytes) else {
            return None;
        };
        let agreement = match map.remove(&Value::Text("agreement".into())) {
            None => None,
            Some(Value::Text(name)) => Some(KeyAgreement::named(&name)?),
            Some(_) => return None,
        };
        let mut take = |key: &str| match map.remove(&Value::Text(key.into())) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        };
        let saved = Self {
            spki: take("spki").filter(|spki| spki.len() <= MAX_SPKI)?,
            nonce: take("nonce")?.try_into().ok()?,
            exporter: take("exporter")?.try_into().ok()?,
            bundle: take("bundle").filter(|bundle| bundle.len() <= MAX_BUNDLE)?,
            agreement,
        };
        map.is_empty().then_some(saved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SavedSession {
        SavedSession::new(vec![1; 91], [2; 32], [3; 32], vec![4; 300])
    }

    #[test]
    fn survives_the_trip() {
        assert_eq!(SavedSession::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn keeps_how_the_keys_were_agreed_and_takes_no_agreement_that_it_does_not_know() {
        let agreed = sample().agreed(Some(KeyAgreement::X25519MlKem768));
        assert_eq!(SavedSession::decode(&agreed.encode()), Ok(agreed.clone()));
        assert_ne!(agreed, sample());
        let mut unknown = agreed.encode();
        let at = unknown.windows(6).position(|part| part == b"X25519");
        unknown[at.unwrap()] = b'Y';
        assert_eq!(SavedSession::decode(&unknown), Err(SavedError::Malformed));
    }

    #[test]
    fn keys_are_in_deterministic_order() {
        let encoded = sample().encode();
        let at = |key: &str| {
            encoded
                .windows(key.len())
                .position(|part| part == key.as_bytes())
        };
        assert!(
            at("spki") < at("nonce") && at("nonce") < at("bundle") && at("bundle") < at("exporter")
        );
    }

    #[test]
    fn refuses_every_truncation_and_a_trailing_byte() {
        let encoded = sample().encode();
        for length in 0..encoded.len() {
            assert_eq!(
                SavedSession::decode(&encoded[..length]),
                Err(SavedError::Malformed)
            );
        }
        let longer = [encoded.as_slice(), &[0]].concat();
        assert_eq!(SavedSession::decode(&longer), Err(SavedError::Malformed));
    }

    #[test]
    fn refuses_another_key_and_a_short_nonce() {
        let encode = |key: &str, nonce: usize| {
            let entry = |key: &str, bytes: Vec<u8>| (Value::Text(key.into()), Value::Bytes(bytes));
            let map = Value::Map(
                [
                    entry("spki", vec![1]),
                    entry("nonce", vec![2; nonce]),
                    entry("bundle", vec![4]),
                    entry(key, vec![3; 32]),
                ]
                .into(),
            );
            serde_cbor::to_vec(&map).unwrap()
        };
        assert!(SavedSession::decode(&encode("exporter", 32)).is_ok());
        assert_eq!(
            SavedSession::decode(&encode("exporter", 31)),
            Err(SavedError::Malformed)
        );
        assert_eq!(
            SavedSession::decode(&encode("exported", 32)),
            Err(SavedError::Malformed)
        );
    }

    #[test]
    fn refuses_a_file_over_the_limit_before_reading_it() {
        let bytes = vec![0; MAX_SAVED + 1];
        assert_eq!(
            SavedSession::decode(&bytes),
            Err(SavedError::TooLong(MAX_SAVED + 1))
        );
    }
}
