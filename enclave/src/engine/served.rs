//! A model that is served: its queue, and the process that runs it now. The process is replaced when it ends or answers
//! wrongly; when it has been idle, so that it forgets what it was asked; and when it has grown old.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrysalis_wire::{
    configuration::{Model, Serving},
    keys::Wiped,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    call::{Call, Event, Fault, Tenant, Turned},
    card::Card,
    counters::Counters,
    process::{Launcher, Process, Starter},
    queue::{Full, Place, Queue, Turn},
    sink::Sink,
    spell::Spell,
};
use crate::{machine::Memory, trust::Trust};

/// How long a call waits for its turn.
const WAIT: Duration = Duration::from_mins(5);
/// How long a call waits for a process that is being started.
const START: Duration = Duration::from_mins(2);
/// The shortest and the longest pause before a process that failed is replaced.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_mins(1));
/// The pause between two looks at a process that is due to be replaced, and not idle yet, or not used.
const LOOK: Duration = Duration::from_secs(1);
/// How long a model that is taken out of service may take to end.
const WITHDRAWING: Duration = Duration::from_secs(10);
/// A process that lived so long did not fail at once.
const STEADY: Duration = Duration::from_mins(1);

/// A model, and what runs it.
pub(crate) struct Served {
    pub(super) launcher: Launcher,
    pub(super) queue: Queue,
    counters: Counters,
    pub(super) state: watch::Sender<State>,
    last_answer: Mutex<Instant>,
    idle: Duration,
    after: Duration,
    trust: Trust,
    /// Whether the model's owner took back its key or a secret.
    withdrawn: watch::Sender<bool>,
}

/// Whether there is a process.
#[derive(Clone)]
pub(super) enum State {
    Up(Arc<Process>),
    /// It is being replaced.
    Coming,
    /// It failed, and so did its successor.
    Down,
}

/// Why a process is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It ended, or must not go on.
    Failed,
    Idle,
    Old,
    /// It has an old secret.
    Changed,
}

impl Served {
    /// Serves a model with a process that has given the known answer.
    pub(super) fn start(
        launcher: Launcher,
        process: Process,
        serving: &Serving,
        trust: Trust,
    ) -> Arc<Self> {
        let served = Arc::new(Self {
            queue: Queue::new(launcher.model.parallel, serving.queue),
            launcher,
            counters: Counters::default(),
            state: watch::Sender::new(State::Up(Arc::new(process))),
            last_answer: Mutex::new(Instant::now()),
            idle: serving.recycle_idle(),
            after: serving.recycle_after(),
            trust,
            withdrawn: watch::Sender::new(false),
        });
        tokio::spawn(served.clone().supervise());
        served
    }

    /// The model, as the configuration has it.
    pub(crate) fn model(&self) -> &Model {
        &self.launcher.model
    }

    /// The engine that runs it.
    pub(crate) fn engine(&self) -> &Card {
        &self.launcher.card
    }

    /// What was counted.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Calls that are computed, and calls that wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        self.queue.load()
    }

    /// Takes the model out of service for good: its process ends, and whoever it answers is told so. Returns once it has ended, or after ten
    /// seconds.
    pub(crate) async fn withdraw(&self) {
        let process = match &*self.state.borrow() {
            State::Up(process) => Some(Arc::downgrade(process)),
            State::Coming | State::Down => None,
        };
        self.withdrawn.send_replace(true);
        let mut state = self.state.subscribe();
        let ended = async {
            let _ = state.wait_for(|state| matches!(state, State::Down)).await;
            while process.as_ref().is_some_and(|it| it.strong_count() > 0) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(WITHDRAWING, ended).await.is_err() {
            tracing::error!(model = self.model().name, "its engine has not ended yet");
        }
    }

    /// Whether the model was taken out of service.
    pub(crate) fn is_withdrawn(&self) -> bool {
        *self.withdrawn.borrow()
    }

    /// Takes what its owner gives now. If a value has changed, a fresh process takes the place of the one that has the old.
    pub(crate) fn renew_secrets(&self, values: Vec<Wiped>) {
        if self.launcher.secrets.renew(values) {
            tracing::info!(model = self.model().name, "a secret has changed");
        }
    }

    /// Whether there is a process to ask, or will be in a moment.
    pub(crate) fn ready(&self) -> bool {
        !matches!(*self.state.borrow(), State::Down)
    }

    /// Asks. The answer comes part by part; dropping its receiver ends the call at any point. `spell` says how long its turn takes.
    pub(crate) fn ask(
        self: &Arc<Self>,
        tenant: &Tenant,
        call: Call,
        spell: Spell,
    ) -> Result<mpsc::Receiver<Event>, Turned> {
        if let Some(reason) = self.trust.over() {
            return Err(Turned::TrustEnded(reason));
        }
        if self.is_withdrawn() {
            return Err(Turned::Withdrawn);
        }
        if !self.ready() {
            return Err(Turned::NoEngine);
        }
        let place = self.queue.enter(*tenant).map_err(|Full { retry_after }| {
            Counters::add(&self.counters.refused, 1);
            Turned::Busy { retry_after }
        })?;
        Counters::add(&self.counters.requests, 1);
        let (sink, answer) = Sink::new();
        tokio::spawn(self.clone().answer(place, call, sink, spell));
        Ok(answer)
    }

    /// The engine answered in a form that it must not: it is replaced.
    pub(crate) fn distrust(&self) {
        tracing::error!(model = self.model().name, "the engine answered wrongly");
        Counters::add(&self.counters.failed, 1);
        if let State::Up(process) = &*self.state.borrow() {
            process.end().came();
        }
    }

    async fn answer(self: Arc<Self>, place: Place, call: Call, sink: Sink, spell: Spell) {
        let mut withdrawn = self.withdrawn.subscribe();
        let outcome = tokio::select! {
            outcome = self.answer_in_turn(place, call, &sink, &spell) => outcome,
            reason = self.trust.ended() => Err(Fault::TrustEnded(reason)),
            _ = withdrawn.wait_for(|withdrawn| *withdrawn) => Err(Fault::Withdrawn),
            // Its turn, if it has one, is given back.
            () = sink.closed() => return,
        };
        if let Some(first) = sink.first() {
            self.counters.first_token(first);
        }
        if let Err(fault) = outcome {
            if fault.is_the_engines() {
                tracing::error!(model = self.model().name, why = %fault, "the engine failed");
                Counters::add(&self.counters.failed, 1);
            }
            sink.fail(fault);
        }
    }

    async fn answer_in_turn(
        &self,
        place: Place,
        call: Call,
        sink: &Sink,
        spell: &Spell,
    ) -> Result<(), Fault> {
        let _turn: Turn = match place {
            Place::Turn(turn) => turn,
            Place::Waiting(turn) => match timeout(WAIT, turn).await {
                Ok(Ok(turn)) => turn,
                Ok(Err(_)) | Err(_) => return Err(Fault::Waited),
            },
        };
        let _taking = spell.begin();
        sink.say(Event::Began)?;
        let process = self.process().await?;
        let outcome = process.serve(call, sink).await;
        if outcome.is_err_and(Fault::is_the_engines) {
            // Whatever else it works on cannot be believed either.
            process.end().came();
        }
        *self
            .last_answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        outcome
    }

    /// The process, once there is one.
    pub(super) async fn process(&self) -> Result<Arc<Process>, Fault> {
        let mut state = self.state.subscribe();
        let settled = state.wait_for(|state| !matches!(state, State::Coming));
        match timeout(START, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Up(process) => Ok(process.clone()),
                State::Coming | State::Down => Err(Fault::NoEngine),
            },
            Ok(Err(_)) | Err(_) => Err(Fault::NoEngine),
        }
    }

    /// Replaces the process whenever there is a reason, for as long as the enclave is trusted. With its trust the process ends, and
    /// with that all that it remembers.
    async fn supervise(self: Arc<Self>) {
        let mut withdrawn = self.withdrawn.subscribe();
        tokio::select! {
            () = self.replace_for_ever() => {}
            _ = self.trust.ended() => {}
            _ = withdrawn.wait_for(|withdrawn| *withdrawn) => {
                if let State::Up(process) = &*self.state.borrow() {
                    // Whoever it answers holds it: they end, too.
                    process.end().came();
                }
            }
        }
        self.launcher.secrets.wipe();
        self.state.send_replace(State::Down);
    }

    async fn replace_for_ever(&self) {
        let mut pause = BACK_OFF.0;
        loop {
            let State::Up(process) = self.state.borrow().clone() else {
                return;
            };
            let reason = self.reason(&process).await;
            if reason == Reason::Failed {
                Counters::add(&self.counters.restarts, 1);
                if process.started().elapsed() >= STEADY {
                    pause = BACK_OFF.0;
                }
            }
            tracing::info!(model = self.model().name, ?reason, "replacing the engine");
            self.replace(process, reason, &mut pause).await;
        }
    }

    async fn reason(&self, process: &Process) -> Reason {
        let end = process.end();
        let ended = end.wait();
        tokio::pin!(ended);
        loop {
            let (idle, old) = (
                self.last_answer() + self.idle,
                process.started() + self.after,
            );
            let look = idle.min(old).max(Instant::now() + LOOK);
            tokio::select! {
                () = &mut ended => return Reason::Failed,
                () = self.launcher.secrets.changed(process.given()) => return Reason::Changed,
                () = sleep_until(look) => {}
            }
            // One that no client has asked has nothing to forget.
            if !process.used() {
                continue;
            }
            let now = Instant::now();
            if now >= old {
                return Reason::Old;
            }
            if self.queue.load() == (0, 0) && now >= self.last_answer() + self.idle {
                return Reason::Idle;
            }
        }
    }

    fn last_answer(&self) -> Instant {
        *self
            .last_answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a fresh process in place of this one. While there is memory for both, the old one goes on until the new one is
    /// ready, and what it has begun it ends.
    async fn replace(&self, old: Arc<Process>, reason: Reason, pause: &mut Duration) {
        let overlap = reason != Reason::Failed && self.has_room_for_two();
        if overlap {
            if let Some(process) = self.fresh().await {
                self.state.send_replace(State::Up(Arc::new(process)));
                return;
            }
            tracing::error!(model = self.model().name, "the engine was not replaced");
        }
        self.state.send_replace(State::Coming);
        if matches!(reason, Reason::Old | Reason::Changed) {
            while Arc::strong_count(&old) > 1 {
                sleep(Duration::from_millis(50)).await;
            }
        }
        drop(old);
        loop {
            if reason == Reason::Failed {
                sleep(*pause).await;
                *pause = pause.saturating_mul(2).min(BACK_OFF.1);
            }
            if let Some(process) = self.fresh().await {
                self.state.send_replace(State::Up(Arc::new(process)));
                return;
            }
            self.state.send_replace(State::Down);
            sleep(*pause).await;
            *pause = pause.saturating_mul(2).min(BACK_OFF.1);
        }
    }

    /// A process that has given the known answer like the first.
    async fn fresh(&self) -> Option<Process> {
        let started = async {
            let process = self.launcher.start().await?;
            self.launcher.require_known_answer(&process).await?;
            Ok::<_, crate::failure::Failure>(process)
        };
        match started.await {
            Ok(process) => Some(process),
            Err(failure) => {
                tracing::error!(code = failure.code(), "{failure}");
                None
            }
        }
    }

    fn has_room_for_two(&self) -> bool {
        match &self.launcher.starter {
            Starter::Room(rooms) => {
                let available = Memory::now().unwrap_or_default().available_kib;
                rooms.may_overlap() && available / 1024 > u64::from(rooms.memory_mib())
            }
            #[cfg(test)]
            Starter::Fake(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
