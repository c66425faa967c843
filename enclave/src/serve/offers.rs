//! What this enclave offers, for whoever lists it: each of its models, signed anew in each epoch of its trust (docs/spec/network.md). The
//! host is handed all of it, with what vouches for the key; it can leave an offer out, and change none.

use std::{future::pending, sync::Arc, time::Duration};

use chrysalis_attestation::evidence::Evidence;
use chrysalis_settle::{Attested, EpochEvidence, Offer};
use chrysalis_wire::configuration::{Kind, Model};
use tokio::time::sleep;

use super::{pay::Till, receipt::Issuer};
use crate::{
    attest::Attester,
    engine::Engines,
    epoch::Epoch,
    host::{Host, HostError},
};

/// The pauses before a host that noted nothing is told again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_mins(1));

/// What offers are made of.
pub(super) struct Offering {
    /// One of `chrysalis_settle::PLATFORMS`.
    pub(super) platform: &'static str,
    pub(super) engines: Engines,
    pub(super) attester: Arc<Attester>,
    pub(super) issuer: Arc<Issuer>,
    /// None without payment: offers are made all the same.
    pub(super) till: Option<Arc<Till>>,
    pub(super) host: Arc<Host>,
}

impl Offering {
    /// Tells the host, for as long as the enclave serves: now, and at the beginning of each epoch.
    pub(super) async fn keep(self) {
        let mut epochs = self.attester.epochs().follow();
        loop {
            let epoch = epochs.borrow_and_update().clone();
            let told = async {
                self.tell(&epoch).await;
                pending::<()>().await;
            };
            // The next epoch's take the place of what was not noted by then.
            tokio::select! {
                () = told => {}
                changed = epochs.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    /// Until it is noted.
    async fn tell(&self, epoch: &Epoch) {
        let mut pause = PAUSES.0;
        loop {
            let Err(error) = self.hand_over(epoch).await else {
                return;
            };
            if pause == PAUSES.0 {
                tracing::warn!(code = error.code(), "the host did not note the offers");
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSES.1);
        }
    }

    async fn hand_over(&self, epoch: &Epoch) -> Result<(), HostError> {
        let offers = self.offers(epoch);
        if offers.is_empty() {
            return Ok(());
        }
        let evidence = EpochEvidence {
            spki: self.attester.keys().public(),
            bundle: epoch.bundle.to_vec(),
        };
        self.host.offers(offers, evidence.encode()).await
    }

    /// One for each model, signed. None once the key is gone, and none for an epoch whose bundle cannot be read, which none is.
    fn offers(&self, epoch: &Epoch) -> Vec<Vec<u8>> {
        let Ok(evidence) = Evidence::decode(&epoch.bundle) else {
            return Vec::new();
        };
        let gpus = u64::try_from(evidence.gpus.len()).unwrap_or(u64::MAX);
        let evidence = Attested::bundle_digest(&evidence);
        let models = self.engines.all().iter().map(|served| served.model());
        let offer = |model| self.offer(model, epoch, evidence, gpus);
        models
            .filter_map(|model| offer(model)?.sign(&*self.issuer))
            .map(|offer| offer.encode())
            .collect()
    }

    fn offer(&self, model: &Model, epoch: &Epoch, evidence: [u8; 32], gpus: u64) -> Option<Offer> {
        let claims = &epoch.claims;
        let claim = claims.models.iter().find(|it| it.name == model.name)?;
        let speed = self.till.as_ref();
        let speed = speed.map(|till| till.prices.tokens_per_second(&model.name));
        Some(Offer {
            receipt_key: claims.receipt_key,
            epoch: claims.epoch,
            evidence,
            configuration: claims.configuration,
            release: claims.release.clone(),
            platform: self.platform.to_owned(),
            gpus,
            model: claim.name.clone(),
            kind: claim.kind.clone(),
            weights: claim.weights,
            context: match model.kind {
                Kind::Chat | Kind::Embedding | Kind::Rerank => model.context.into(),
                Kind::Speech => 0,
            },
            slots: model.parallel.into(),
            tokens_per_second: speed.unwrap_or_default(),
        })
    }
}
