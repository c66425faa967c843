//! Keys are asked for again in each epoch.

use std::sync::Arc;

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::configuration::Disk;
use futures_util::future::join_all;

use super::owner::{Owner, Prove};
use crate::{
    attest::Attester, boot::Ground, configuration::Measured, disks::Disks, engine::Engines,
    failure::Failure,
};

impl Prove for Attester {
    async fn prove(&self, session: &Session) -> Result<Vec<u8>, Failure> {
        Self::prove(self, session).await
    }

    fn spki(&self) -> Vec<u8> {
        self.keys().public()
    }
}

/// Asks the owner again, for as long as a sealed model is served.
pub(crate) struct Renewed {
    owner: Option<Owner>,
    measured: Arc<Measured>,
    disks: Disks,
}

impl Renewed {
    pub(crate) fn new(ground: &Ground, measured: &Arc<Measured>, disks: Disks) -> Self {
        Self {
            owner: Owner::of(measured, &ground.host),
            measured: measured.clone(),
            disks,
        }
    }

    /// Takes out of service the models whose owner no longer agrees, or does not answer.
    pub(crate) async fn ask(&self, attester: &Attester, engines: &Engines) {
        let Some(owner) = &self.owner else {
            return;
        };
        // Each disk by itself: an owner may keep one model in service and withdraw another. All at once: a server that is gone is waited
        // for once.
        let disks = self.measured.configuration.sealed_disks().into_iter();
        join_all(disks.map(|disk| self.ask_for(disk, owner, attester, engines))).await;
    }

    async fn ask_for(&self, disk: &Disk, owner: &Owner, attester: &Attester, engines: &Engines) {
        let served = engines.all().iter();
        let of_it = served.filter(|it| it.model().disk.root == disk.root && !it.is_withdrawn());
        let of_it: Vec<_> = of_it.collect();
        if of_it.is_empty() {
            return;
        }
        let Err(failure) = owner.ask_patiently(attester, disk).await else {
            return;
        };
        for served in of_it {
            tracing::error!(
                model = served.model().name,
                code = failure.code(),
                "out of service: {failure}"
            );
            served.withdraw().await;
        }
        self.disks.seal(disk);
    }
}
