//! Between the fifth step and the sixth, where a model is sealed or its engine has secrets: its key, and those. Whoever owns the model keeps
//! them, and gives them to an enclave that proves itself: over TLS to a server whose certificate the configuration pins, with evidence about
//! the server's nonce and this connection (docs/spec/keys.md). The host carries bytes that it cannot read.
//!
//! A key is held by the kernel's dm-crypt alone, and a secret by the engine's room and [`Secrets`], for as long as their owner agrees: they
//! are asked for again in each epoch, and without a yes the model goes out of service, with its key and its secrets.

pub(crate) mod error;
mod owner;
mod renewed;
mod tls;
mod wanted;

use std::sync::Arc;

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::boot::Stage;

pub(crate) use self::renewed::Renewed;
use self::{
    owner::{Owner, Prove},
    wanted::Wanted,
};
use crate::{
    attest::{
        claims::{Claimed, claims},
        prover::Prover,
    },
    boot::Ground,
    configuration::Measured,
    disks::Disks,
    engine::card::Card,
    failure::Failure,
    gateway::Gateway,
    gpu::Equipped,
    secrets::Secrets,
};

/// An enclave whose models can all be read.
pub(crate) struct Unsealed {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) disks: Disks,
    pub(crate) prover: Prover,
    pub(crate) gateway: Gateway,
    /// For each model, in the configuration's order.
    pub(crate) secrets: Vec<Secrets>,
}

impl Equipped {
    /// Gets the keys of sealed disks, if there are any, and opens them; and the secrets of engines.
    pub(crate) async fn unseal(self) -> Result<Unsealed, Failure> {
        let Self {
            ground,
            measured,
            disks,
            keys,
            gpus,
        } = self;
        let gateway = Gateway::new()?;
        let prover = Prover::new(ground.clone(), keys, gpus);
        let mut secrets = Vec::new().into_iter();
        if let Some(owner) = Owner::of(&measured, &ground.host) {
            let configuration = &measured.configuration;
            let described = Card::all(&measured, &disks)?;
            let models = described.iter().map(|(model, _, card)| (*model, card));
            let own = (prover.keys().receipt_key(), gateway.digest());
            let claims = claims(&measured, models, Claimed::BeforeServing, own)?;
            prover.present_quote().await?;
            let wanted = Wanted::all(configuration);
            let asker = Asker {
                prover: &prover,
                claims: claims.encode(),
            };
            let given = owner.ask(&asker, &wanted).await?;
            for (disk, key) in wanted.disks.iter().zip(&given.keys) {
                disks.unseal(disk, key)?;
            }
            secrets = given.secrets.into_iter();
            for model in configuration.models.iter().filter(|model| model.sealed) {
                disks.check_weights(model)?;
            }
            ground.progress.passed(Stage::ModelsUnsealed).await;
        }
        let models = measured.configuration.models.iter();
        let secrets = models
            .map(|model| {
                let own = secrets.by_ref().take(model.secrets.len());
                Secrets::new(&model.secrets, own)
            })
            .collect();
        Ok(Unsealed {
            ground,
            measured,
            disks,
            prover,
            gateway,
            secrets,
        })
    }
}

/// Proves for the first time.
struct Asker<'a> {
    prover: &'a Prover,
    claims: Vec<u8>,
}

impl Prove for Asker<'_> {
    async fn prove(&self, session: &Session) -> Result<Vec<u8>, Failure> {
        let batch = self.prover.batch(&[session], &self.claims).await?;
        Ok(batch.bundle(0, &[]).unwrap_or_default())
    }

    fn spki(&self) -> Vec<u8> {
        self.prover.keys().public()
    }
}
