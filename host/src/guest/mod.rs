//! What the host knows of its guest, and what it may ask of it: to stop, at once or once it has finished what it does.
//!
//! All of it is the guest's own word: good for a progress line and a metric, never for a decision that matters.

pub(crate) mod console;
pub(crate) mod link;
pub(crate) mod load;
pub(crate) mod text;
pub(crate) mod times;
mod wish;

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use chrysalis_wire::host::{Load, MAX_FAILURE};
use tokio::sync::watch;

use self::{
    load::{Busy, Loads},
    text::{LineBreaks, printable},
    times::Stage,
    wish::Wish,
};
use crate::mutex::held;

/// The most stages that are kept and printed; those of a guest that passes more are dropped.
const MAX_STAGES: usize = 32;
/// The most bytes of a stage's name or a failure's code.
const MAX_NAME: usize = 64;

/// How far a guest is, as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not said that it serves.
    Booting,
    /// It listens.
    Serving,
    /// It gave up.
    Failed(Failure),
}

/// Why a guest gave up, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A stable code.
    pub(crate) code: String,
    /// What happened and what to do.
    pub(crate) message: String,
}

/// The guest, as its services see it.
#[derive(Debug)]
pub(crate) struct Guest {
    state: watch::Sender<State>,
    stop: Wish,
    drain: Wish,
    stages: Mutex<Vec<Stage>>,
    loads: Loads,
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self {
            state: watch::Sender::new(State::Booting),
            stop: Wish::default(),
            drain: Wish::default(),
            stages: Mutex::default(),
            loads: Loads::default(),
        }
    }

    /// Notes a stage, and gives it back if it is worth printing.
    pub(crate) fn passed(&self, name: &str, at_ms: u64) -> Option<Stage> {
        let mut stages = held(&self.stages);
        if stages.len() == MAX_STAGES {
            return None;
        }
        let name = printable(name, MAX_NAME, LineBreaks::Replace);
        let stage = Stage::after(stages.last(), name, at_ms);
        stages.push(stage.clone());
        Some(stage)
    }

    /// Notes that it listens. A guest that has given up does not come back.
    pub(crate) fn serves(&self) {
        self.advance(State::Serving);
    }

    /// Notes that it gave up.
    pub(crate) fn failed(&self, code: &str, message: &str) {
        let code = printable(code, MAX_NAME, LineBreaks::Replace);
        let message = printable(message, MAX_FAILURE, LineBreaks::Keep);
        self.advance(State::Failed(Failure { code, message }));
    }

    fn advance(&self, next: State) {
        self.state.send_if_modified(|state| {
            let advances = *state != next && !matches!(state, State::Failed(_));
            if advances {
                *state = next;
            }
            advances
        });
    }

    /// How far it is.
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Returns when it serves or gave up.
    pub(crate) async fn decided(&self) -> State {
        self.wait(|state| *state != State::Booting).await
    }

    /// Returns when it gave up.
    pub(crate) async fn gave_up(&self) {
        self.wait(|state| matches!(state, State::Failed(_))).await;
    }

    async fn wait(&self, until: impl FnMut(&State) -> bool) -> State {
        match self.state.subscribe().wait_for(until).await {
            Ok(state) => state.clone(),
            // The sender is a part of `self`, so it outlives this borrow.
            Err(_) => std::future::pending().await,
        }
    }

    /// The stages it passed, in order.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        held(&self.stages).clone()
    }

    /// Notes how busy it is.
    pub(crate) fn loaded(&self, load: Load) {
        self.loads.note(load, Instant::now());
    }

    /// How busy it is at `now`, once it has said so.
    pub(crate) fn busy(&self, now: Instant) -> Option<Busy> {
        self.loads.busy(now)
    }

    /// Asks it to stop. Whether anything inside listens for that.
    pub(crate) fn ask_to_stop(&self) -> bool {
        self.stop.want()
    }

    /// Returns when it was asked to stop: for the guest.
    pub(crate) async fn asked_to_stop(&self) {
        self.stop.heard().await;
    }

    /// Asks it to finish what it does and take nothing new. It is a wish of the provider's: whether the guest hears it is another matter.
    pub(crate) fn ask_to_drain(&self) {
        self.drain.want();
    }

    /// Whether it was asked to.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.is_wanted()
    }

    /// Returns when it was asked to.
    pub(crate) async fn drain_wanted(&self) {
        self.drain.wanted().await;
    }

    /// Returns when it was asked to: for the guest.
    pub(crate) async fn asked_to_drain(&self) {
        self.drain.heard().await;
    }

    /// Whether the guest heard that it should, within this time.
    pub(crate) async fn heard_to_drain(&self, within: Duration) -> bool {
        self.drain.was_heard(within).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_gave_up_does_not_serve_again() {
        let guest = Guest::new();
        guest.failed("disk_wrong", "first");
        guest.serves();
        guest.failed("other", "second");
        let failure = Failure {
            code: "disk_wrong".to_owned(),
            message: "first".to_owned(),
        };
        assert_eq!(guest.state(), State::Failed(failure));
    }

    #[test]
    fn keeps_a_bounded_number_of_bounded_stages() {
        let guest = Guest::new();
        for _ in 0..MAX_STAGES {
            assert_eq!(
                guest.passed(&"x".repeat(5000), 1).unwrap().name.len(),
                MAX_NAME
            );
        }
        assert_eq!(guest.passed("one more", 1), None);
        assert_eq!(guest.stages().len(), MAX_STAGES);
    }

    #[test]
    fn knows_whether_anything_listens() {
        assert!(!Guest::new().ask_to_stop());
    }
}
