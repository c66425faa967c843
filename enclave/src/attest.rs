//! The seventh step: evidence. Once at boot and in each epoch, for the certificate; then for each client that asks, about its nonce
//! and its connection. docs/spec/binding.md says what is hashed into what.

#[cfg(test)]
mod bench;
mod desk;
mod prover;

use std::{
    future::pending,
    sync::{Arc, atomic::AtomicU64},
};

use chrysalis_attestation::evidence::{
    Batch,
    binding::Session,
    claims::{Claims, EngineClaim, ModelClaim, PROFILE},
};
use chrysalis_wire::boot::Stage;
use tokio::sync::Notify;

use crate::{
    boot::Ground,
    clock,
    configuration::Measured,
    engine::{Engines, Loaded},
    epoch::Epochs,
    failure::Failure,
    gateway::Gateway,
    keys::Keys,
};
pub(crate) use desk::{Bounds, Desk, NoBundle};
use prover::Prover;

/// An enclave that can prove what it is.
pub(crate) struct Attested {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) engines: Engines,
    pub(crate) attester: Attester,
}

impl Loaded {
    /// Gets the first evidence, and the certificate that carries it.
    pub(crate) async fn attest(self) -> Result<Attested, Failure> {
        let gateway = Gateway::new()?;
        let own = (self.keys.receipt_key(), gateway.digest());
        let claims = claims(&self.measured, &self.engines, own)?;
        let prover = Prover::new(self.ground.clone(), self.keys, self.gpus);
        prover.present_quote().await?;
        let first = prover.epoch(claims).await?;
        self.ground.progress.passed(Stage::Attested).await;
        Ok(Attested {
            ground: self.ground,
            measured: self.measured,
            engines: self.engines,
            attester: Attester {
                prover,
                epochs: Epochs::begin(first),
                gateway,
                alarm: Notify::new(),
            },
        })
    }
}

/// What the enclave says about itself in its first epoch. The known answers were given, or there would be no engines to describe.
fn claims(
    measured: &Measured,
    engines: &Engines,
    (receipt_key, hpke_key): ([u8; 32], [u8; 32]),
) -> Result<Claims, Failure> {
    let mut of_engines: Vec<EngineClaim> = Vec::new();
    let mut models = Vec::new();
    for served in engines.all() {
        let (model, engine) = (served.model(), served.engine());
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
        known_answer: true,
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

/// Answers clients that ask for evidence, in the current epoch's name.
pub(crate) struct Attester {
    prover: Prover,
    epochs: Epochs,
    gateway: Gateway,
    /// The GPUs gave a client no evidence.
    alarm: Notify,
}

impl Attester {
    /// When the hardware last signed, in milliseconds since boot.
    pub(crate) fn attested_at(&self) -> Arc<AtomicU64> {
        self.prover.attested_at()
    }

    /// The current epoch, for all who serve.
    pub(crate) fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// The keys that all evidence is about.
    pub(crate) fn keys(&self) -> &Keys {
        self.prover.keys()
    }

    /// The keys that requests through relays are for.
    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Overwrites every private key. Nothing is signed or opened after that.
    pub(crate) fn wipe(&self) {
        self.keys().wipe();
        self.gateway.wipe();
    }

    /// Bundles about these sessions, for the clients that asked: one report for all of them.
    async fn answer(&self, sessions: &[&Session]) -> Result<Batch, Failure> {
        let epoch = self.epochs.current();
        let batch = self.prover.batch(sessions, &epoch.encoded).await;
        if let Err(Failure::Gpu(_)) = &batch {
            self.alarm.notify_one();
        }
        batch
    }

    /// Waits for a sign that something is wrong with the GPUs, and says which.
    pub(crate) async fn gpus_in_trouble(&self) -> String {
        let gpus = async {
            match self.prover.gpus() {
                Some(gpus) => gpus.trouble().await,
                None => pending().await,
            }
        };
        tokio::select! {
            error = gpus => error.to_string(),
            () = self.alarm.notified() => "they gave a client no evidence".to_owned(),
        }
    }

    /// Asks the GPUs a new question, and verifies what they answer.
    pub(crate) async fn ask_gpus(&self) -> Result<(), Failure> {
        self.prover.ask_gpus().await
    }

    /// Asks the hardware again and begins the next epoch: for the caller that has asked everything else.
    pub(crate) async fn turn(&self) -> Result<(), Failure> {
        let (claims, keys) = (
            self.epochs.current().claims.clone(),
            self.gateway.prepare()?,
        );
        let next = Claims {
            hpke_key: keys.digest(),
            epoch: claims.epoch.saturating_add(1),
            epoch_began: clock::now().0,
            ..claims
        };
        let next = self.prover.epoch(next).await?;
        self.gateway.turn(keys);
        self.epochs.turn(next);
        Ok(())
    }
}
