//! What the enclave says about itself.

use chrysalis_attestation::evidence::claims::{Claims, EngineClaim, ModelClaim, PROFILE};
use chrysalis_wire::configuration::Model;

use crate::{clock, configuration::Measured, engine::card::Card, failure::Failure};

/// When claims are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// For whoever has the models' keys: no model has started.
    BeforeServing,
    /// Every model has given its known answer, or it would not be there.
    Serving,
}

/// What the enclave says about itself in its first epoch, and about each model and the engine that runs it.
pub(crate) fn claims<'a>(
    measured: &Measured,
    described: impl Iterator<Item = (&'a Model, &'a Card)>,
    claimed: Claimed,
    (receipt_key, hpke_key): ([u8; 32], [u8; 32]),
) -> Result<Claims, Failure> {
    let mut of_engines: Vec<EngineClaim> = Vec::new();
    let mut models = Vec::new();
    for (model, engine) in described {
        if of_engines.iter().all(|claim| claim.name != engine.name) {
            of_engines.push(EngineClaim {
                name: engine.name.clone(),
                version: engine.version.clone(),
                disk: digest(&engine.disk.root)?,
            });
        }
        let optional = |hex: &Option<String>| hex.as_deref().map(digest).transpose();
        models.push(ModelClaim {
            name: model.name.clone(),
            kind: model.kind.name().to_owned(),
            engine: engine.name.clone(),
            disk: digest(&model.disk.root)?,
            weights: digest(&model.weights)?,
            tokenizer: optional(&model.tokenizer)?,
            template: optional(&model.template)?,
        });
    }
    Ok(Claims {
        profile: PROFILE.to_owned(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        configuration: measured.digest,
        engines: of_engines,
        models,
        known_answer: claimed == Claimed::Serving,
        receipt_key,
        hpke_key,
        epoch: 0,
        epoch_began: clock::now().0,
        epoch_seconds: measured.configuration.epoch.seconds.into(),
    })
}

/// Digits that the configuration's parser has checked.
fn digest(digits: &str) -> Result<[u8; 32], Failure> {
    let bytes = hex::decode(digits).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Failure::DiskWrong {
            what: format!("{digits} is no digest"),
            why: "it is not 64 hexadecimal digits".to_owned(),
        })
}
