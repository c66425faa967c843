//! One engine process: started, seen ready, and asked.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use chrysalis_wire::configuration::Model;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{
    call::{Call, Fault},
    card::Card,
    http, room,
    served::Sink,
};
use crate::failure::Failure;

/// How long an engine may take until it is ready: it reads its weights, and a GPU's compiles its kernels.
const READY_PATIENCE: Duration = Duration::from_mins(15);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Parts of an answer that are kept for a client that reads slowly.
pub(super) const KEPT: usize = 2048;

/// Starts a model's engine, as often as it has to.
pub(super) struct Launcher {
    pub(super) model: Model,
    pub(super) card: Card,
    pub(super) starter: Starter,
    /// Processes that were started so far.
    pub(super) count: AtomicU32,
}

/// How a process is started.
pub(super) enum Starter {
    /// In a room.
    Room(room::Rooms),
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
    /// Last, so that nothing outlives it.
    _keep: Keep,
}

/// What ends with a process.
pub(super) enum Keep {
    /// Its room.
    Room {
        /// Watches for its end.
        _watch: Aborted,
        /// Its folder for sockets.
        _run: room::RunFolder,
    },
    /// The function that plays it.
    #[cfg(test)]
    Fake {
        _task: Aborted,
        _folder: tempfile::TempDir,
    },
}

/// A task that ends when this is dropped.
pub(super) struct Aborted(pub(super) tokio::task::JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether a process has ended.
#[derive(Default)]
pub(super) struct End {
    ended: AtomicBool,
    told: Notify,
}

impl End {
    /// It has.
    pub(super) fn came(&self) {
        self.ended.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    /// Waits until it has.
    pub(super) async fn wait(&self) {
        let told = self.told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        if !self.ended.load(Ordering::Acquire) {
            told.await;
        }
    }
}

impl Launcher {
    /// Starts a process and waits until it is ready.
    pub(super) async fn start(&self) -> Result<Process, Failure> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (socket, end, keep) = match &self.starter {
            Starter::Room(rooms) => rooms.open(&self.card, &self.model, number).await?,
            #[cfg(test)]
            Starter::Fake(play) => super::fake::start(*play),
        };
        let process = Process {
            socket,
            started: Instant::now(),
            used: AtomicBool::new(false),
            end,
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

    /// Whether it was asked by a client: only then does it remember anything.
    pub(super) fn used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
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
