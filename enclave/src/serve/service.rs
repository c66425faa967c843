//! What all connections share: the engines, the configuration, who proves what this is, and randomness.

use std::sync::Arc;

use chrysalis_wire::configuration::{Kind, Serving};
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde_json::Value;

use super::{
    drain::Drain,
    error::ApiError,
    object::{Object, given},
    pay::Till,
    question,
    receipt::Issuer,
    seats::Seats,
    shape::Envelope,
};
use crate::{
    attest::{Attester, Desk},
    configuration::Measured,
    engine::{Engines, Served, Tenant},
    failure::Failure,
    trust::Trust,
};

/// What all connections share.
pub(super) struct Service {
    pub(super) measured: Arc<Measured>,
    pub(super) engines: Engines,
    pub(super) attester: Arc<Attester>,
    pub(super) desk: Desk,
    pub(super) seats: Seats,
    pub(super) issuer: Arc<Issuer>,
    /// None without payment.
    pub(super) till: Option<Arc<Till>>,
    pub(super) trust: Trust,
    pub(super) drain: Arc<Drain>,
    fingerprint: String,
    /// Makes names of tenants for engines.
    salt: hmac::Key,
    random: SystemRandom,
}

impl Service {
    pub(super) fn new(
        measured: Arc<Measured>,
        engines: Engines,
        attester: Arc<Attester>,
        desk: Desk,
        till: Option<Arc<Till>>,
        trust: Trust,
    ) -> Result<Self, Failure> {
        let digest = hex::encode(measured.digest);
        let random = SystemRandom::new();
        let salt = hmac::Key::generate(hmac::HMAC_SHA256, &random)
            .map_err(|_| Failure::Keys("there is no randomness".to_owned()))?;
        let issuer = Issuer::new(attester.keys().clone(), attester.epochs().clone());
        Ok(Self {
            fingerprint: format!("fp_{}", digest.get(..12).unwrap_or_default()),
            measured,
            engines,
            attester,
            trust,
            drain: Arc::default(),
            desk,
            seats: Seats::default(),
            issuer,
            till,
            salt,
            random,
        })
    }

    /// The model that a request names, which must be of this kind.
    pub(super) fn served(&self, request: &Object, kind: Kind) -> Result<Arc<Served>, ApiError> {
        let name = match given(request, "model") {
            None => return Err(ApiError::missing("model")),
            Some(Value::String(name)) => name,
            Some(_) => return Err(ApiError::invalid("model", "model is not a string")),
        };
        self.model(name, kind).cloned()
    }

    /// The same by name.
    pub(super) fn model(&self, name: &str, kind: Kind) -> Result<&Arc<Served>, ApiError> {
        let served = self.find(name)?;
        let found = served.model().kind;
        if found == kind {
            return Ok(served);
        }
        let all = self.engines.all().iter().map(|served| served.model());
        let others = all.filter(|model| model.kind == kind);
        let others: Vec<&str> = others.map(|model| model.name.as_str()).collect();
        Err(ApiError::wrong_kind(name, found, kind, &others))
    }

    /// A model of any kind.
    pub(super) fn find(&self, name: &str) -> Result<&Arc<Served>, ApiError> {
        self.engines.find(name).ok_or_else(|| {
            let all = self.engines.all().iter();
            let all: Vec<&str> = all.map(|served| served.model().name.as_str()).collect();
            ApiError::model_not_found(name, &all)
        })
    }

    /// How requests are met.
    pub(super) fn serving(&self) -> &Serving {
        &self.measured.configuration.serving
    }

    /// What every part of an answer repeats.
    pub(super) fn envelope(&self, served: &Served) -> Result<Envelope, ApiError> {
        let model = &served.model().name;
        Ok(Envelope::new(self.random()?, model, &self.fingerprint))
    }

    /// A seed for a request that has none.
    pub(super) fn seed(&self) -> Result<u32, ApiError> {
        self.random().map(u32::from_le_bytes)
    }

    /// The name of a tenant for an engine that keeps what it has read.
    pub(super) fn salt(&self, tenant: &Tenant) -> String {
        question::salt(&self.salt, tenant)
    }

    /// A secret of whoever encapsulated this, by which it is a tenant of its own.
    pub(super) fn asker(&self, encapsulated: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.salt, encapsulated);
        let mut asker = [0; 32];
        asker.copy_from_slice(tag.as_ref());
        asker
    }

    /// Random bytes.
    pub(super) fn random<const N: usize>(&self) -> Result<[u8; N], ApiError> {
        let mut bytes = [0; N];
        match self.random.fill(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(_) => Err(ApiError::broken()),
        }
    }
}
