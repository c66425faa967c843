//! Where an answer goes.

use std::{sync::OnceLock, time::Duration};

use tokio::{sync::mpsc, time::Instant};

use super::call::{Event, Fault};

/// Parts of an answer that are kept for a client that reads slowly.
const KEPT: usize = 2048;

/// Where an answer goes, and when it began.
pub(super) struct Sink {
    events: mpsc::Sender<Event>,
    began: Instant,
    first: OnceLock<Duration>,
}

impl Sink {
    /// A sink, and what comes out of it.
    pub(super) fn new() -> (Self, mpsc::Receiver<Event>) {
        // One more than is kept, for the word that the rest was not.
        let (events, answer) = mpsc::channel(KEPT.saturating_add(1));
        let sink = Self {
            events,
            began: Instant::now(),
            first: OnceLock::new(),
        };
        (sink, answer)
    }

    /// Passes a part on. An engine never waits for a reader: what there is no room for is not kept.
    pub(super) fn say(&self, event: Event) -> Result<(), Fault> {
        if matches!(event, Event::Json(_)) {
            let _ = self.first.set(self.began.elapsed());
        }
        if self.events.is_closed() {
            return Ok(());
        }
        if self.events.capacity() <= 1 {
            return Err(Fault::NotRead);
        }
        let _ = self.events.try_send(event);
        Ok(())
    }

    /// The last word: there is always room for it.
    pub(super) fn fail(&self, fault: Fault) {
        let _ = self.events.try_send(Event::Failed(fault));
    }

    /// How long the first part of the answer took, once it has come.
    pub(super) fn first(&self) -> Option<Duration> {
        self.first.get().copied()
    }

    /// Waits until nobody listens any more.
    pub(super) async fn closed(&self) {
        self.events.closed().await;
    }
}
