//! One engine process: started, seen ready, and asked.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use chrysalis_wire::{configuration::Model, room::PREPARE_SOCKET_NAME};
use tokio::time::{Instant, sleep};

use super::{
    call::{Call, Fault},
    card::Card,
    end::End,
    http,
    room::{Room, Rooms},
    sink::Sink,
};
use crate::{
    boot::Ground, configuration::Measured, disks::Disks, failure::Failure, secrets::Secrets,
};

/// How long an engine may take until it is ready: it reads its weights, and a GPU's compiles its kernels.
const READY_PATIENCE: Duration = Duration::from_mins(15);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Starts a model's engine, as often as it has to.
pub(super) struct Launcher {
    pub(super) model: Model,
    pub(super) card: Card,
    pub(super) starter: Starter,
    /// Processes that were started so far.
    pub(super) count: AtomicU32,
    /// What each process is given.
    pub(super) secrets: Secrets,
}

/// How a process is started.
pub(super) enum Starter {
    /// In a room.
    Room(Rooms),
    /// A function plays it.
    #[cfg(test)]
    Fake(super::fake::Play),
}

/// A process that runs, and ends when it is dropped.
pub(super) struct Process {
    socket: PathBuf,
    started: Instant,
    /// Whether it was asked by a client.
    used: AtomicBool,
    end: Arc<End>,
    /// The number of the secrets that it was given.
    given: u64,
    /// Last, so that nothing outlives it.
    _keep: Keep,
}

/// What ends with a process.
enum Keep {
    /// Its room.
    Room { _room: Room },
    /// The function that plays it.
    #[cfg(test)]
    Fake { _fake: super::fake::Playing },
}

impl Launcher {
    /// One for each model, in the configuration's order.
    pub(super) fn all(
        ground: &Ground,
        measured: &Measured,
        disks: &Disks,
    ) -> Result<Vec<Self>, Failure> {
        let models = (0..).zip(Card::all(measured, disks)?);
        models
            .map(|(index, (model, engine, card))| {
                let rooms = Rooms::of(ground, disks, (index, model), engine);
                let rooms = rooms.map_err(|error| Failure::Engine {
                    model: model.name.clone(),
                    why: format!("it gets no room: {error}"),
                })?;
                Ok(Self {
                    model: model.clone(),
                    card,
                    starter: Starter::Room(rooms),
                    count: AtomicU32::new(0),
                    secrets: Secrets::default(),
                })
            })
            .collect()
    }

    /// Starts a process and waits until it is ready.
    pub(super) async fn start(&self) -> Result<Process, Failure> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let given = self.secrets.now();
        let (socket, end, keep) = match &self.starter {
            Starter::Room(rooms) => {
                let room = rooms.open(&self.card, &self.model, number, &given).await?;
                (
                    room.socket.clone(),
                    room.end.clone(),
                    Keep::Room { _room: room },
                )
            }
            #[cfg(test)]
            Starter::Fake(play) => {
                let (socket, end, fake) = super::fake::start(*play);
                (socket, end, Keep::Fake { _fake: fake })
            }
        };
        let secrets = given.number;
        // They are not kept here while the engine comes up.
        drop(given);
        let process = Process {
            socket,
            started: Instant::now(),
            used: AtomicBool::new(false),
            end,
            given: secrets,
            _keep: keep,
        };
        tokio::select! {
            outcome = self.see_ready(&process) => outcome.map(|()| process),
            () = process.end.wait() => Err(self.failed("it ended before it was ready")),
        }
    }

    async fn see_ready(&self, process: &Process) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_PATIENCE;
        while !http::is_ready(&process.socket, &self.card.start.ready).await {
            if Instant::now() >= deadline {
                let minutes = READY_PATIENCE.as_secs() / 60;
                return Err(self.failed(&format!("it was not ready after {minutes} minutes")));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    pub(super) fn failed(&self, why: &str) -> Failure {
        Failure::Engine {
            model: self.model.name.clone(),
            why: why.to_owned(),
        }
    }
}

impl Process {
    /// Asks, and passes on what comes.
    pub(super) async fn ask(&self, call: Call, sink: &Sink) -> Result<(), Fault> {
        tokio::select! {
            outcome = http::ask(&self.socket, call, sink) => outcome,
            () = self.end.wait() => Err(Fault::Ended),
        }
    }

    /// The same for a client.
    pub(super) async fn serve(&self, call: Call, sink: &Sink) -> Result<(), Fault> {
        self.used.store(true, Ordering::Relaxed);
        self.ask(call, sink).await
    }

    /// Where what it reads is prepared, for a client.
    pub(super) fn prepare_socket(&self) -> PathBuf {
        self.used.store(true, Ordering::Relaxed);
        self.socket.with_file_name(PREPARE_SOCKET_NAME)
    }

    /// Whether it was asked by a client: only then does it remember anything.
    pub(super) fn used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// The number of the secrets that it was given.
    pub(super) const fn given(&self) -> u64 {
        self.given
    }

    /// When it was started.
    pub(super) const fn started(&self) -> Instant {
        self.started
    }

    /// Its end, wherever it comes from.
    pub(super) fn end(&self) -> Arc<End> {
        self.end.clone()
    }
}
