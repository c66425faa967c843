//! Connections on which no byte has come yet. There are few places for them, and the one that has been silent for longest gives
//! its own to a newcomer: so silence costs other clients nothing, and the guest never hears of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::sync::oneshot;

use crate::mutex::held;

/// Those that are silent, the longest first.
#[derive(Debug)]
pub(super) struct Silent {
    places: usize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    /// By number, so by age.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A silent connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    silent: Arc<Silent>,
    number: u64,
    displaced: oneshot::Receiver<()>,
}

impl Silent {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            places,
            queue: Mutex::default(),
        })
    }

    /// A place for a newcomer, if need be the longest silent one's.
    pub(super) fn enter(self: &Arc<Self>) -> Waiting {
        let (leave, displaced) = oneshot::channel();
        let mut queue = held(&self.queue);
        if queue.waiting.len() >= self.places {
            // The end of the sender is the sign.
            queue.waiting.pop_first();
        }
        let number = queue.next;
        queue.next = queue.next.wrapping_add(1);
        queue.waiting.insert(number, leave);
        Waiting {
            silent: Arc::clone(self),
            number,
            displaced,
        }
    }
}

impl Waiting {
    /// Returns once the place is a newcomer's.
    pub(super) async fn displaced(&mut self) {
        let _ = (&mut self.displaced).await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        held(&self.silent.queue).waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Duration, timeout};

    #[tokio::test]
    async fn the_longest_silent_one_gives_way_to_a_newcomer() {
        let silent = Silent::new(2);
        let [mut first, mut second, _third] = [(); 3].map(|()| silent.enter());
        first.displaced().await;
        let still_there = timeout(Duration::ZERO, second.displaced()).await;
        assert!(still_there.is_err());
    }

    #[tokio::test]
    async fn one_that_spoke_leaves_its_place() {
        let silent = Silent::new(2);
        let mut first = silent.enter();
        drop(silent.enter());
        let _third = silent.enter();
        let still_there = timeout(Duration::ZERO, first.displaced()).await;
        assert!(still_there.is_err());
    }
}
