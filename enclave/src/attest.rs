//! The seventh step: evidence. Once at boot and in each epoch, for the certificate; then for each client that asks, about its nonce
//! and its connection. docs/spec/binding.md says what is hashed into what.

#[cfg(test)]
mod bench;
pub(crate) mod claims;
mod desk;
pub(crate) mod prover;

use std::{
    future::pending,
    sync::{Arc, atomic::AtomicU64},
};

use chrysalis_attestation::evidence::{Batch, binding::Session, claims::Claims};
use chrysalis_wire::boot::Stage;
use tokio::sync::Notify;

use crate::{
    boot::Ground,
    clock,
    configuration::Measured,
    disks::Disks,
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
    pub(crate) disks: Disks,
    pub(crate) engines: Engines,
    pub(crate) attester: Attester,
}

impl Loaded {
    /// Gets the first evidence, and the certificate that carries it.
    pub(crate) async fn attest(self) -> Result<Attested, Failure> {
        let Self {
            prover, gateway, ..
        } = self;
        let own = (prover.keys().receipt_key(), gateway.digest());
        let models = self.engines.all().iter();
        let models = models.map(|served| (served.model(), served.engine()));
        let claims = claims::claims(&self.measured, models, claims::Claimed::Serving, own)?;
        prover.present_quote().await?;
        let first = prover.epoch(claims).await?;
        self.ground.progress.passed(Stage::Attested).await;
        Ok(Attested {
            ground: self.ground,
            measured: self.measured,
            disks: self.disks,
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

    /// A bundle about one session, in the current epoch's name.
    pub(crate) async fn prove(&self, session: &Session) -> Result<Vec<u8>, Failure> {
        let batch = self.answer(&[session]).await?;
        Ok(batch.bundle(0, &[]).unwrap_or_default())
    }

    /// Asks the GPUs a new question, and verifies what they answer.
    pub(crate) async fn ask_gpus(&self) -> Result<(), Failure> {
        self.prover.ask_gpus().await
    }

    /// Asks the hardware again and begins the next epoch, which claims no model but these: for the caller that has asked everything else.
    pub(crate) async fn turn(&self, served: &Engines) -> Result<(), Failure> {
        let (mut claims, keys) = (
            self.epochs.current().claims.clone(),
            self.gateway.prepare()?,
        );
        let is_there = |name: &str| served.find(name).is_some_and(|it| !it.is_withdrawn());
        claims.models.retain(|model| is_there(&model.name));
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
