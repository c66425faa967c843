//! The fourth step: the engine. It is other people's code that handles prompts, so it runs in a process of its own
//! ([`crate::process`], [`worker`]) with no key, no network and no file but the weights, and gets one question at a time
//! ([`scheduler`]). Before the first client it must give the known answer.

mod question;
mod scheduler;
mod worker;

use std::{io, path::PathBuf, sync::Arc};

use chrysalis_wire::boot::Stage;

pub(crate) use question::{Cut, Event, Question};
pub(crate) use scheduler::{Busy, Scheduler};
pub(crate) use worker::Description;
use worker::Recipe;

use crate::{
    boot::Ground,
    configuration::Measured,
    failure::Failure,
    machine::Machine,
    process::{Executable, Program},
    weights::Opened,
};

/// The engine's file, next to the enclave's own.
const ENGINE: &str = "chrysalis-engine-llama";
/// Lets the engine run on a kernel with less of Landlock than the image's.
const PARTIAL_WALLS: &str = "--dangerous-partial-walls";

/// An enclave whose engine has shown that it answers as it should.
pub(crate) struct Loaded {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) scheduler: Scheduler,
    pub(crate) engine: Description,
}

impl Opened {
    /// Starts the engine on the weights and has it give the known answer.
    pub(crate) async fn start_engine(self) -> Result<Loaded, Failure> {
        let own = self.ground.machine == Machine::Own;
        let program = match engine_beside(std::env::current_exe()) {
            Ok(path) => Program::File(Executable {
                path,
                arguments: if own { &[] } else { &[PARTIAL_WALLS] },
                environment: &[],
                unprivileged: own,
            }),
            Err(error) => return Err(Failure::Engine(format!("it was not found: {error}"))),
        };
        self.start_program(program).await
    }

    /// The same with a function that plays the engine.
    #[cfg(test)]
    pub(crate) async fn start_fake_engine(
        self,
        play: fn(std::os::unix::net::UnixStream),
    ) -> Result<Loaded, Failure> {
        self.start_program(Program::Fake(play)).await
    }

    async fn start_program(self, program: Program) -> Result<Loaded, Failure> {
        let recipe = Recipe {
            program,
            weights: self.weights,
            measured: self.measured.clone(),
        };
        let mut worker = recipe.load().await?;
        self.ground.progress.passed(Stage::EngineLoaded).await;
        recipe.require_known_answer(&mut worker).await?;
        self.ground.progress.passed(Stage::KnownAnswerGiven).await;
        Ok(Loaded {
            ground: self.ground,
            measured: self.measured,
            engine: worker.description().clone(),
            scheduler: Scheduler::new(recipe, worker),
        })
    }
}

fn engine_beside(enclave: io::Result<PathBuf>) -> io::Result<PathBuf> {
    let engine = enclave?.with_file_name(ENGINE);
    engine.metadata()?;
    Ok(engine)
}

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_lies_beside_the_enclave() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(ENGINE), "").unwrap();
        let engine = engine_beside(Ok(folder.path().join("init"))).unwrap();
        assert_eq!(engine, folder.path().join(ENGINE));
    }

    #[test]
    fn an_engine_that_is_missing_is_named() {
        let missing = engine_beside(Ok("/nonexistent/init".into())).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
