//! What the host says of lanes, for as long as it may be believed: whoever is paid decides how far a lane goes, so the enclave asks no
//! chain. Invented lanes cost a client's time, and the host no more than a few questions a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrysalis_wire::host::NoLane;
use tokio::{sync::Mutex as Gate, time::timeout};

use crate::host::{Host, HostError};

/// How long what is known of a lane holds.
const KNOWN: Duration = Duration::from_mins(1);
/// The same once most of its ceiling is taken.
const NEARLY_FULL: Duration = Duration::from_secs(1);
/// How long a lane that may not be used is not asked about again.
pub(super) const REFUSED: Duration = Duration::from_secs(10);
/// How long the host may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Questions: so many in a row, and one more after each pause.
const BURST: u32 = 5;
const EVERY: Duration = Duration::from_millis(200);
/// From so many lanes on, those that are out of date are forgotten.
const MANY: usize = 1024;

/// A purse's account, and a lane of it.
pub(in crate::serve) type LaneId = ([u8; 32], u32);

/// A lane that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) struct Lane {
    /// Signs caps: Ed25519.
    pub(in crate::serve) spend_key: [u8; 32],
    /// The most nano that all its tabs may owe here together.
    pub(in crate::serve) ceiling: u64,
}

/// All lanes, and the host to ask.
pub(in crate::serve) struct Lanes {
    host: Arc<Host>,
    book: Mutex<Book>,
}

impl Lanes {
    pub(super) fn new(host: Arc<Host>) -> Self {
        Self {
            host,
            book: Mutex::new(Book::new(Instant::now())),
        }
    }

    /// A lane of whose ceiling so much is taken.
    pub(in crate::serve) async fn look_up(&self, id: LaneId, taken: u64) -> Result<Lane, NoLane> {
        let look = self.book().look(id, taken, Instant::now());
        let gate = match look {
            Look::Found(found) => return found,
            Look::Ask(gate) => gate,
        };
        // Who comes while another asks waits for the same answer.
        let _alone = gate.lock().await;
        {
            let now = Instant::now();
            let mut book = self.book();
            if let Look::Found(found) = book.look(id, taken, now) {
                return found;
            }
            if !book.may_ask(id, now) {
                return book.last(id);
            }
        }
        let (purse, lane) = &id;
        let answer = timeout(PATIENCE, self.host.lane(purse, *lane)).await;
        let found = match answer {
            Ok(Ok((spend_key, ceiling))) => Ok(Lane { spend_key, ceiling }),
            Ok(Err(HostError::Refused(why))) => Err(NoLane::of(&why)),
            Ok(Err(_)) | Err(_) => Err(NoLane::Unreachable),
        };
        self.book().note(id, found, Instant::now());
        found
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known.
struct Book {
    lanes: HashMap<LaneId, Entry>,
    /// When the whole burst of questions is available again.
    rested: Instant,
}

struct Entry {
    found: Option<Result<Lane, NoLane>>,
    /// When it was found, or first asked for.
    at: Instant,
    gate: Arc<Gate<()>>,
}

/// What the book says of a lane.
enum Look {
    Found(Result<Lane, NoLane>),
    Ask(Arc<Gate<()>>),
}

impl Book {
    fn new(now: Instant) -> Self {
        Self {
            lanes: HashMap::new(),
            rested: now,
        }
    }

    fn look(&mut self, id: LaneId, taken: u64, now: Instant) -> Look {
        if let Some(entry) = self.lanes.get(&id) {
            return match entry.found {
                Some(found) if entry.age(now) < lasts(&found, taken) => Look::Found(found),
                _ => Look::Ask(entry.gate.clone()),
            };
        }
        if !self.has_question(false, now) {
            return Look::Found(Err(NoLane::Unreachable));
        }
        if self.lanes.len() >= MANY {
            self.lanes.retain(|_, entry| entry.age(now) < KNOWN);
        }
        let entry = Entry {
            found: None,
            at: now,
            gate: Arc::default(),
        };
        let gate = entry.gate.clone();
        self.lanes.insert(id, entry);
        Look::Ask(gate)
    }

    /// Whether one more question may be asked; if so, it counts. The last of a burst is kept for lanes that were good before, so that
    /// nobody outlives a lane by inventing others.
    fn may_ask(&mut self, id: LaneId, now: Instant) -> bool {
        let known = self.last(id).is_ok();
        let may = self.has_question(known, now);
        if may {
            self.rested = self.rested.max(now) + EVERY;
        }
        may
    }

    fn has_question(&self, known: bool, now: Instant) -> bool {
        let burst = if known { BURST } else { BURST - 1 };
        let after = self.rested.saturating_duration_since(now) + EVERY;
        after <= EVERY * burst
    }

    /// What was found last, however long ago.
    fn last(&self, id: LaneId) -> Result<Lane, NoLane> {
        let entry = self.lanes.get(&id);
        let found = entry.and_then(|entry| entry.found);
        found.unwrap_or(Err(NoLane::Unreachable))
    }

    fn note(&mut self, id: LaneId, found: Result<Lane, NoLane>, now: Instant) {
        if let Some(entry) = self.lanes.get_mut(&id) {
            entry.found = Some(found);
            entry.at = now;
        }
    }
}

impl Entry {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }
}

fn lasts(found: &Result<Lane, NoLane>, taken: u64) -> Duration {
    match found {
        Err(_) => REFUSED,
        Ok(lane) if taken >= lane.ceiling / 5 * 4 => NEARLY_FULL,
        Ok(_) => KNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane {
        spend_key: [1; 32],
        ceiling: 100,
    };

    fn id(lane: u32) -> LaneId {
        ([7; 32], lane)
    }

    fn found(
        book: &mut Book,
        id: LaneId,
        taken: u64,
        now: Instant,
    ) -> Option<Result<Lane, NoLane>> {
        match book.look(id, taken, now) {
            Look::Found(found) => Some(found),
            Look::Ask(_) => None,
        }
    }

    #[test]
    fn a_lane_is_asked_about_each_minute_and_sooner_once_it_is_nearly_full() {
        let start = Instant::now();
        let mut book = Book::new(start);
        assert_eq!(found(&mut book, id(1), 0, start), None);
        assert!(book.may_ask(id(1), start));
        book.note(id(1), Ok(LANE), start);
        let mut look = |taken, millis| {
            found(
                &mut book,
                id(1),
                taken,
                start + Duration::from_millis(millis),
            )
        };
        assert_eq!(look(79, 59_999), Some(Ok(LANE)));
        assert_eq!(look(0, 60_000), None);
        assert_eq!(look(80, 999), Some(Ok(LANE)));
        assert_eq!(look(80, 1000), None);
    }

    #[test]
    fn what_may_not_be_used_is_refused_for_ten_seconds() {
        let start = Instant::now();
        let mut book = Book::new(start);
        for (lane, why) in [
            (1, NoLane::Unknown),
            (2, NoLane::Closing),
            (3, NoLane::Unreachable),
        ] {
            assert_eq!(found(&mut book, id(lane), 0, start), None);
            book.note(id(lane), Err(why), start);
            let later = start + Duration::from_millis(9_999);
            assert_eq!(found(&mut book, id(lane), 0, later), Some(Err(why)));
            assert_eq!(found(&mut book, id(lane), 0, start + REFUSED), None);
        }
    }

    #[test]
    fn five_questions_a_second_and_the_last_for_lanes_that_were_good() {
        let start = Instant::now();
        let mut book = Book::new(start);
        found(&mut book, id(0), 0, start);
        book.note(id(0), Ok(LANE), start);
        let invented = (1..100).filter(|lane| {
            found(&mut book, id(*lane), 0, start).is_none() && book.may_ask(id(*lane), start)
        });
        assert_eq!(invented.count(), 4);
        // What was never asked about is not remembered.
        assert_eq!(book.lanes.len(), 5);
        let refused = Some(Err(NoLane::Unreachable));
        assert_eq!(found(&mut book, id(100), 0, start), refused);
        assert!(book.may_ask(id(0), start));
        assert!(!book.may_ask(id(0), start));
        assert_eq!(book.last(id(0)), Ok(LANE));
        assert!(!book.may_ask(id(0), start + Duration::from_millis(199)));
        assert!(book.may_ask(id(0), start + Duration::from_millis(200)));
    }

    #[test]
    fn what_is_out_of_date_is_forgotten_where_there_are_many() {
        let start = Instant::now();
        let mut book = Book::new(start);
        let mut now = start;
        for lane in 0..=u32::try_from(MANY).unwrap() {
            now += EVERY;
            assert_eq!(found(&mut book, id(lane), 0, now), None);
            assert!(book.may_ask(id(lane), now));
            book.note(id(lane), Ok(LANE), now);
        }
        assert!(book.lanes.len() < 400, "{}", book.lanes.len());
    }
}
