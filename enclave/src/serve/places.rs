//! Who has a place, and who gives one up for a newcomer.
//!
//! The enclave cannot tell clients apart: the host relays all of them, and could claim anything about where they come from. The
//! relay bounds what one client may have; here all clients are bounded together, and a connection that does nothing with its
//! place gives it to a newcomer. A connection that is being answered keeps its place.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    handshakes: usize,
    connections: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Counts what happens: it numbers places, and shows which of two has been idle longer.
    moments: u64,
    held: BTreeMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    stage: Stage,
    /// When it reached this stage.
    since: u64,
    /// When this ends, it must go.
    _stay: oneshot::Sender<()>,
}

/// What a connection does with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its TLS handshake.
    Greeting,
    /// Nothing: no whole request has come.
    Idle,
    /// It is being answered.
    Answered,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
}

/// Resolves once the place belongs to another connection.
pub(super) type Displaced = oneshot::Receiver<()>;

impl Places {
    /// Places for this many handshakes, and this many connections after them.
    pub(super) fn new(handshakes: usize, connections: usize) -> Arc<Self> {
        Arc::new(Self {
            handshakes,
            connections,
            table: Mutex::default(),
        })
    }

    /// A place for a handshake, if need be that of the oldest one.
    pub(super) fn enter(self: &Arc<Self>) -> (Place, Displaced) {
        let (stay, displaced) = oneshot::channel();
        let mut table = self.table();
        if table.count(|stage| stage == Stage::Greeting) >= self.handshakes {
            table.displace(Stage::Greeting);
        }
        let number = table.moment();
        let held = Held {
            stage: Stage::Greeting,
            since: number,
            _stay: stay,
        };
        table.held.insert(number, held);
        let place = Place {
            places: Arc::clone(self),
            number,
        };
        (place, displaced)
    }

    /// Connections that are being answered.
    pub(super) fn answered(&self) -> usize {
        self.table().count(|stage| stage == Stage::Answered)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn moment(&mut self) -> u64 {
        self.moments = self.moments.wrapping_add(1);
        self.moments
    }

    fn count(&self, of: impl Fn(Stage) -> bool) -> usize {
        self.held.values().filter(|held| of(held.stage)).count()
    }

    /// Takes the place of the connection that has been at `stage` longest; says whether there was one.
    fn displace(&mut self, stage: Stage) -> bool {
        let at_stage = self.held.iter().filter(|(_, held)| held.stage == stage);
        let longest = at_stage.min_by_key(|(_, held)| held.since);
        let number = longest.map(|(number, _)| *number);
        number.is_some_and(|number| self.held.remove(&number).is_some())
    }
}

impl Place {
    /// The handshake is done. Says whether there is a place from here on, if need be that of the connection that has been idle
    /// longest; there is none if all are being answered.
    pub(super) fn greeted(&self) -> bool {
        let mut table = self.places.table();
        let connected = table.count(|stage| stage != Stage::Greeting);
        if connected >= self.places.connections && !table.displace(Stage::Idle) {
            return false;
        }
        drop(table);
        self.come_to(Stage::Idle);
        true
    }

    /// A whole request has come: it is being answered.
    pub(super) fn answered(&self) {
        self.come_to(Stage::Answered);
    }

    /// The answer is over.
    pub(super) fn idle(&self) {
        self.come_to(Stage::Idle);
    }

    fn come_to(&self, stage: Stage) {
        let mut table = self.places.table();
        let since = table.moment();
        // A displaced connection no longer has a place.
        if let Some(held) = table.held.get_mut(&self.number) {
            held.stage = stage;
            held.since = since;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().held.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    fn has_place(displaced: &mut Displaced) -> bool {
        displaced.try_recv() == Err(TryRecvError::Empty)
    }

    #[test]
    fn the_longest_handshake_gives_way_to_a_newcomer() {
        let places = Places::new(2, 1);
        let [mut first, mut second, mut third] = [(); 3].map(|()| places.enter());
        assert!(!has_place(&mut first.1));
        assert!(has_place(&mut second.1) && has_place(&mut third.1));
        // Another one's end makes room.
        drop(second);
        let _fourth = places.enter();
        assert!(has_place(&mut third.1));
    }

    #[test]
    fn handshakes_take_no_place_of_a_connection() {
        let places = Places::new(2, 2);
        let (connected, mut displaced) = places.enter();
        assert!(connected.greeted());
        let _silent = [(); 8].map(|()| places.enter());
        assert!(has_place(&mut displaced));
    }

    #[test]
    fn the_longest_idle_connection_gives_way_and_one_that_is_answered_does_not() {
        let places = Places::new(4, 2);
        let (first, mut first_displaced) = places.enter();
        let (second, mut second_displaced) = places.enter();
        assert!(first.greeted() && second.greeted());
        first.answered();
        let (third, mut third_displaced) = places.enter();
        assert!(third.greeted());
        assert!(has_place(&mut first_displaced) && !has_place(&mut second_displaced));
        // The second has come and gone; of the first and the third, the third has been idle for longer.
        first.idle();
        let (fourth, _) = places.enter();
        assert!(fourth.greeted());
        assert!(has_place(&mut first_displaced) && !has_place(&mut third_displaced));
    }

    #[test]
    fn where_all_are_answered_a_newcomer_finds_no_place() {
        let places = Places::new(2, 1);
        let (first, mut displaced) = places.enter();
        assert!(first.greeted());
        first.answered();
        assert!(!places.enter().0.greeted());
        assert!(has_place(&mut displaced));
        drop(first);
        assert!(places.enter().0.greeted());
    }
}
