//! The sixth step: engines. They are other people's programs, and they handle prompts; so each model's engine runs in a room of
//! its own ([`room`]), without a key, a network or a file but its own and the model, and speaks HTTP over a Unix socket
//! ([`http`]). Nothing is believed of what it says beyond its form.
//!
//! One process serves one model ([`served`]): it is started, asked for the known answer, and replaced when it has failed, has
//! been idle, or has grown old. Who is answered when, [`queue`] decides.

mod call;
pub(crate) mod card;
mod counters;
mod decode;
mod end;
mod gpus;
mod http;
mod known_answer;
mod process;
mod queue;
mod renewed;
mod room;
mod served;
mod sink;
mod spell;
mod sse;

use std::sync::Arc;

use chrysalis_wire::boot::Stage;

pub(crate) use call::{Call, CallBody, Event, Fault, Tenant, Turned};
pub(crate) use card::Api;
pub(crate) use decode::Undecoded;
pub(crate) use served::Served;
pub(crate) use spell::Spell;

use crate::{
    attest::prover::Prover, boot::Ground, configuration::Measured, disks::Disks, failure::Failure,
    gateway::Gateway, unseal::Unsealed,
};
use process::Launcher;

/// An enclave whose engines are ready, and have shown that they answer as they should.
pub(crate) struct Loaded {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) disks: Disks,
    pub(crate) prover: Prover,
    pub(crate) gateway: Gateway,
    pub(crate) engines: Engines,
}

/// All models, each with the engine that runs it, in the configuration's order.
#[derive(Clone)]
pub(crate) struct Engines(Vec<Arc<Served>>);

impl Engines {
    /// A model, by its name in the API.
    pub(crate) fn find(&self, model: &str) -> Option<&Arc<Served>> {
        self.0.iter().find(|served| served.model().name == model)
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Arc<Served>] {
        &self.0
    }
}

impl Unsealed {
    /// Starts every model's engine and has each chat model give its known answer.
    pub(crate) async fn start_engines(self) -> Result<Loaded, Failure> {
        let launchers = Launcher::all(&self.ground, &self.measured, &self.disks)?;
        self.start(launchers).await
    }

    /// The same with functions that play the engines.
    #[cfg(test)]
    pub(crate) async fn start_fake_engines(self, play: fake::Play) -> Result<Loaded, Failure> {
        let models = &self.measured.configuration.models;
        let launchers = models.iter().map(|model| fake::launcher(model, play));
        let launchers = launchers.collect();
        self.start(launchers).await
    }

    async fn start(self, launchers: Vec<Launcher>) -> Result<Loaded, Failure> {
        let mut started = Vec::new();
        for (mut launcher, secrets) in launchers.into_iter().zip(self.secrets) {
            launcher.secrets = secrets;
            let process = launcher.start().await?;
            started.push((launcher, process));
        }
        self.ground.progress.passed(Stage::EnginesReady).await;
        let mut engines = Vec::new();
        for (launcher, process) in started {
            launcher.require_known_answer(&process).await?;
            let serving = &self.measured.configuration.serving;
            let trust = self.ground.trust.clone();
            engines.push(Served::start(launcher, process, serving, trust));
        }
        self.ground.progress.passed(Stage::KnownAnswersGiven).await;
        Ok(Loaded {
            ground: self.ground,
            measured: self.measured,
            disks: self.disks,
            prover: self.prover,
            gateway: self.gateway,
            engines: Engines(engines),
        })
    }
}

#[cfg(test)]
pub(crate) use card::tests::CARD;
#[cfg(test)]
pub(crate) mod fake;
