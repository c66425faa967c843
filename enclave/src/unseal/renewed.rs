//! Keys are asked for again in each epoch.

use std::sync::Arc;

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::configuration::{Disk, Model};

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
        let served = |disk: &&Disk| {
            let models = self.measured.configuration.models.iter();
            let mut of_it = models.filter(|model| model.sealed && model.disk.root == disk.root);
            of_it.any(|model| is_served(model, engines))
        };
        // Each disk by itself: an owner may keep one model in service and withdraw another.
        for disk in self.measured.configuration.sealed_disks() {
            if !served(&disk) {
                continue;
            }
            let Err(failure) = owner.ask_patiently(attester, disk).await else {
                continue;
            };
            for served in engines.all() {
                let model = served.model();
                if model.sealed && model.disk.root == disk.root {
                    tracing::error!(
                        model = model.name,
                        code = failure.code(),
                        "out of service: {failure}"
                    );
                    served.withdraw().await;
                }
            }
            self.disks.seal(disk);
        }
    }
}

fn is_served(model: &Model, engines: &Engines) -> bool {
    engines
        .find(&model.name)
        .is_some_and(|served| !served.is_withdrawn())
}
