//! What the enclave says about itself. Every field is bound, that is, hashed into what the hardware signs.

#[cfg(test)]
pub(crate) mod tests;

use std::ops::RangeInclusive;

use serde::Serialize;
use serde_cbor::Value;

use super::served::{self, as_hex, malformed};
pub use super::served::{EngineClaim, KINDS, MAX_NAME, MAX_SERVED, ModelClaim, is_name};
use crate::{
    Rejection,
    encoding::cbor::{self, Fields},
};

/// The profile that this library reads.
pub const PROFILE: &str = "tag:chrysalis,2026:enclave/2";

/// How short and how long an epoch may be, in seconds.
pub const EPOCH_SECONDS: RangeInclusive<u64> = 60..=86_400;

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
    /// The engines that run the models: at most [`MAX_SERVED`], each with a name of its own.
    pub engines: Vec<EngineClaim>,
    /// The models that the API serves, in the configuration's order: at most [`MAX_SERVED`], each with a name of its own, run by
    /// one of [`Self::engines`].
    pub models: Vec<ModelClaim>,
    /// Whether every model with a known answer gave it; an enclave where one did not does not serve.
    pub known_answer: bool,
    /// The Ed25519 public key that signs receipts. Made at boot; lost with the TLS key.
    #[serde(serialize_with = "as_hex")]
    pub receipt_key: [u8; 32],
    /// SHA-256 of the keys that requests through relays are for: of the body of `GET /v1/ohttp-keys` (RFC 9458).
    #[serde(serialize_with = "as_hex")]
    pub hpke_key: [u8; 32],
    /// How often the enclave has attested again since boot.
    pub epoch: u64,
    /// Unix seconds when the epoch began, by the guest's clock, which the host may set: a hint.
    pub epoch_began: i64,
    /// How long an epoch lasts, in seconds: [`EPOCH_SECONDS`]. Of the measured configuration.
    pub epoch_seconds: u64,
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
            ("engines", served::encode(&self.engines)),
            ("models", served::encode(&self.models)),
            ("known_answer", Value::Bool(self.known_answer)),
            ("receipt_key", bytes(&self.receipt_key)),
            ("hpke_key", bytes(&self.hpke_key)),
            ("epoch", Value::Integer(self.epoch.into())),
            ("epoch_began", Value::Integer(self.epoch_began.into())),
            ("epoch_seconds", Value::Integer(self.epoch_seconds.into())),
        ]))
    }

    /// Decodes the one deterministic encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
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
            engines: served::take(&mut fields)?,
            models: served::take(&mut fields)?,
            known_answer: fields
                .bool("known_answer")
                .ok_or_else(wrong("known_answer"))?,
            receipt_key: fields
                .bytes("receipt_key")
                .ok_or_else(wrong("receipt_key"))?,
            hpke_key: fields.bytes("hpke_key").ok_or_else(wrong("hpke_key"))?,
            epoch: fields.number("epoch").ok_or_else(wrong("epoch"))?,
            epoch_began: fields
                .number("epoch_began")
                .ok_or_else(wrong("epoch_began"))?,
            epoch_seconds: fields
                .number("epoch_seconds")
                .ok_or_else(wrong("epoch_seconds"))?,
        };
        if !EPOCH_SECONDS.contains(&claims.epoch_seconds) {
            return Err(malformed("`epoch_seconds` is not 60 to 86400"));
        }
        let mut models = claims.models.iter();
        if models.any(|model| claims.engine_of(model).is_none()) {
            return Err(malformed("a model names an engine that is not claimed"));
        }
        match fields.left_over() {
            Some(name) => Err(malformed(&format!("`{name}` is unknown"))),
            None => Ok(claims),
        }
    }

    /// The engine that runs a model.
    pub fn engine_of(&self, model: &ModelClaim) -> Option<&EngineClaim> {
        let mut engines = self.engines.iter();
        engines.find(|engine| engine.name == model.engine)
    }

    /// The first model of this kind.
    pub fn first_of_kind(&self, kind: &str) -> Option<&ModelClaim> {
        self.models.iter().find(|model| model.kind == kind)
    }
}
