//! What the enclave says about itself. Every field is bound, that is, hashed into what the hardware signs.

use serde::Serialize;
use serde_cbor::Value;

use crate::{
    Rejection,
    encoding::cbor::{self, Fields},
};

/// The profile that this library reads.
pub const PROFILE: &str = "tag:chrysalis,2026:enclave/1";

/// The claims of an enclave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// [`PROFILE`].
    pub profile: String,
    /// The enclave program's version.
    pub release: String,
    /// SHA-256 of the configuration; equals `HOST_DATA`.
    #[serde(serialize_with = "as_hex")]
    pub configuration: [u8; 32],
    /// The model's name in the API.
    pub model: String,
    /// The dm-verity root of the weights.
    #[serde(serialize_with = "as_hex")]
    pub weights: [u8; 32],
    /// SHA-256 of the chat template.
    #[serde(serialize_with = "as_hex")]
    pub template: [u8; 32],
    /// The engine and its version.
    pub engine: String,
    /// Whether the loaded model gave the expected answer; an enclave where it did not does not serve.
    pub known_answer: bool,
    /// How often the enclave has attested again since boot. It does not do so yet, so this is 0.
    pub epoch: u64,
    /// Unix seconds when the epoch began, by the guest's clock, which the host may set: a hint.
    pub epoch_began: i64,
}

impl Claims {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let text = |text: &str| Value::Text(text.to_owned());
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        cbor::encode(&cbor::map([
            ("profile", text(&self.profile)),
            ("release", text(&self.release)),
            ("configuration", bytes(&self.configuration)),
            ("model", text(&self.model)),
            ("weights", bytes(&self.weights)),
            ("template", bytes(&self.template)),
            ("engine", text(&self.engine)),
            ("known_answer", Value::Bool(self.known_answer)),
            ("epoch", Value::Integer(self.epoch.into())),
            ("epoch_began", Value::Integer(self.epoch_began.into())),
        ]))
    }

    /// Decodes the one deterministic encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let malformed = |what: &str| Rejection::ClaimsMalformed {
            what: what.to_owned(),
        };
        let value = cbor::decode(bytes).ok_or_else(|| malformed("not deterministic CBOR"))?;
        let mut fields = Fields::of(value).ok_or_else(|| malformed("not a map"))?;
        let wrong = |name: &'static str| {
            move || malformed(&format!("`{name}` is missing or of the wrong type"))
        };
        // Checked first, since another profile may have entirely different fields.
        let profile = fields.text("profile").ok_or_else(wrong("profile"))?;
        if profile != PROFILE {
            return Err(Rejection::ClaimsProfile { found: profile });
        }
        let claims = Self {
            profile,
            release: fields.text("release").ok_or_else(wrong("release"))?,
            configuration: fields
                .bytes("configuration")
                .ok_or_else(wrong("configuration"))?,
            model: fields.text("model").ok_or_else(wrong("model"))?,
            weights: fields.bytes("weights").ok_or_else(wrong("weights"))?,
            template: fields.bytes("template").ok_or_else(wrong("template"))?,
            engine: fields.text("engine").ok_or_else(wrong("engine"))?,
            known_answer: fields
                .bool("known_answer")
                .ok_or_else(wrong("known_answer"))?,
            epoch: fields.number("epoch").ok_or_else(wrong("epoch"))?,
            epoch_began: fields
                .number("epoch_began")
                .ok_or_else(wrong("epoch_began"))?,
        };
        match fields.left_over() {
            Some(name) => Err(malformed(&format!("`{name}` is unknown"))),
            None => Ok(claims),
        }
    }
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn claims() -> Claims {
        Claims {
            profile: PROFILE.to_owned(),
            release: "0.1.0".to_owned(),
            configuration: [1; 32],
            model: "smollm2".to_owned(),
            weights: [2; 32],
            template: [3; 32],
            engine: "llama.cpp b1".to_owned(),
            known_answer: true,
            epoch: 0,
            epoch_began: 1_796_126_400,
        }
    }

    #[test]
    fn claims_come_back_as_they_were() {
        assert_eq!(Claims::decode(&claims().encode()), Ok(claims()));
    }

    #[test]
    fn another_profile_is_told_apart() {
        let other = Claims {
            profile: "tag:chrysalis,2027:enclave/2".to_owned(),
            ..claims()
        };
        let refused = Rejection::ClaimsProfile {
            found: other.profile.clone(),
        };
        assert_eq!(Claims::decode(&other.encode()), Err(refused));
    }

    #[test]
    fn refuses_an_unknown_or_a_missing_field() {
        let Some(Value::Map(mut fields)) = cbor::decode(&claims().encode()) else {
            panic!()
        };
        fields.insert(Value::Text("colour".to_owned()), Value::Null);
        let unknown = Rejection::ClaimsMalformed {
            what: "`colour` is unknown".to_owned(),
        };
        assert_eq!(
            Claims::decode(&cbor::encode(&Value::Map(fields.clone()))),
            Err(unknown)
        );
        fields.remove(&Value::Text("model".to_owned()));
        let missing = Rejection::ClaimsMalformed {
            what: "`model` is missing or of the wrong type".to_owned(),
        };
        assert_eq!(
            Claims::decode(&cbor::encode(&Value::Map(fields))),
            Err(missing)
        );
    }
}
