//! Keys are asked for again in each epoch.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::configuration::Model;
use futures_util::future::join_all;

use super::{
    owner::{Owner, Prove},
    wanted::Wanted,
};
use crate::{
    attest::Attester,
    boot::Ground,
    configuration::Measured,
    disks::Disks,
    engine::{Engines, Served},
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

/// Asks the owner again, for as long as a model is served that needs it.
pub(crate) struct Renewed {
    owner: Option<Owner>,
    disks: Disks,
    /// The models that are out of service, by name.
    ended: Mutex<BTreeSet<String>>,
}

impl Renewed {
    pub(crate) fn new(ground: &Ground, measured: &Measured, disks: Disks) -> Self {
        Self {
            owner: Owner::of(measured, &ground.host),
            disks,
            ended: Mutex::default(),
        }
    }

    /// Takes out of service the models whose owner no longer agrees, or does not answer, and gives the others' engines their secrets.
    pub(crate) async fn ask(&self, attester: &Attester, engines: &Engines) {
        let Some(owner) = &self.owner else {
            return;
        };
        // Each model by itself: an owner may keep one in service and withdraw another. All at once: a server that is gone is waited for
        // once.
        let served = engines.all().iter().filter(|it| !it.is_withdrawn());
        join_all(served.map(|it| self.ask_for(it, owner, attester, engines))).await;
    }

    async fn ask_for(
        &self,
        served: &Served,
        owner: &Owner,
        attester: &Attester,
        engines: &Engines,
    ) {
        let wanted = Wanted::of(served.model());
        if wanted.is_empty() {
            return;
        }
        match owner.ask_patiently(attester, &wanted).await {
            Ok(given) => served.renew_secrets(given.secrets),
            Err(failure) => {
                tracing::error!(
                    model = served.model().name,
                    code = failure.code(),
                    "out of service: {failure}"
                );
                served.withdraw().await;
                self.close_disk(served.model(), engines);
            }
        }
    }

    /// Closes the disk of a model that has ended, with the last of those that are on it.
    fn close_disk(&self, model: &Model, engines: &Engines) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.insert(model.name.clone());
        let models = engines.all().iter().map(|served| served.model());
        let mut on_it = models.filter(|it| it.disk.root == model.disk.root);
        if model.sealed && on_it.all(|it| ended.contains(&it.name)) {
            self.disks.seal(&model.disk);
        }
    }
}
