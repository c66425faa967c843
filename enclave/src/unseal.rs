//! Between the fifth step and the sixth, where a model is sealed: its key. Whoever owns the model keeps it, and gives it to an enclave that
//! proves itself: over TLS to a server whose certificate the configuration pins, with evidence about the server's nonce and this connection
//! (docs/spec/keys.md). The host carries bytes that it cannot read.
//!
//! A key is held by the kernel's dm-crypt alone, for as long as its owner agrees: it is asked for again in each epoch, and without a yes
//! the model goes out of service, with its key.

pub(crate) mod error;
mod owner;
mod renewed;
mod tls;

use std::sync::Arc;

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::boot::Stage;

use self::owner::{Owner, Prove};
pub(crate) use self::renewed::Renewed;
use crate::{
    attest::{
        Prover,
        claims::{Claimed, claims},
    },
    boot::Ground,
    configuration::Measured,
    disks::Disks,
    engine::Card,
    failure::Failure,
    gateway::Gateway,
    gpu::Equipped,
};

/// An enclave whose models can all be read.
pub(crate) struct Unsealed {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) disks: Disks,
    pub(crate) prover: Prover,
    pub(crate) gateway: Gateway,
}

impl Equipped {
    /// Gets the keys of sealed disks, if there are any, and opens them.
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
        if let Some(owner) = Owner::of(&measured, &ground.host) {
            let configuration = &measured.configuration;
            let described = Card::all(&measured, &disks)?;
            let models = described.iter().map(|(model, _, card)| (*model, card));
            let own = (prover.keys().receipt_key(), gateway.digest());
            let claims = claims(&measured, models, Claimed::BeforeServing, own)?;
            prover.present_quote().await?;
            let wanted = configuration.sealed_disks();
            let asker = Asker {
                prover: &prover,
                claims: claims.encode(),
            };
            let keys = owner.ask(&asker, &wanted).await?;
            for (disk, key) in wanted.iter().zip(&keys) {
                disks.unseal(disk, key)?;
            }
            for model in configuration.models.iter().filter(|model| model.sealed) {
                disks.check_weights(model)?;
            }
            ground.progress.passed(Stage::ModelsUnsealed).await;
        }
        Ok(Unsealed {
            ground,
            measured,
            disks,
            prover,
            gateway,
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
