//! Who is answered when. A model computes so many calls at once; the others wait, no more of them than the configuration
//! allows. When a place is free, it goes to the tenant that has the fewest, and among those to whoever came first: one client's
//! many calls do not keep another's only one waiting.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::call::Tenant;

/// The shortest and longest time after which to come back.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(2));
/// How much the newest call counts in the average of how long calls take: an eighth.
const WEIGHT: u32 = 8;

/// The calls of one model.
#[derive(Clone)]
pub(super) struct Queue(Arc<Shared>);

struct Shared {
    /// Calls that are computed at once.
    parallel: usize,
    /// Calls that may wait.
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: HashMap<Tenant, usize>,
    total: usize,
    waiting: VecDeque<(Tenant, oneshot::Sender<Turn>)>,
    /// How long a call takes, on average.
    usual: Duration,
}

/// A place among those that are computed, until it is dropped.
pub(super) struct Turn {
    queue: Queue,
    tenant: Tenant,
    since: Instant,
}

/// A place in the queue, or already a turn.
pub(super) enum Place {
    /// It is this call's turn.
    Turn(Turn),
    /// It will be.
    Waiting(oneshot::Receiver<Turn>),
}

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// When there may be room.
    pub(super) retry_after: Duration,
}

impl Queue {
    pub(super) fn new(parallel: u32, most: u32) -> Self {
        Self(Arc::new(Shared {
            parallel: parallel as usize,
            most: most as usize,
            state: Mutex::default(),
        }))
    }

    /// Takes a place.
    pub(super) fn enter(&self, tenant: Tenant) -> Result<Place, Full> {
        let mut state = self.state();
        state.waiting.retain(|(_, call)| !call.is_closed());
        let at_once = state.total < self.0.parallel && state.waiting.is_empty();
        if !at_once && state.waiting.len() >= self.0.most {
            return Err(Full {
                retry_after: self.estimate(&state),
            });
        }
        Ok(self.place(&mut state, tenant))
    }

    /// Takes a place even if the queue is full: for the enclave's own call, of which there is one at a time.
    pub(super) fn enter_anyway(&self, tenant: Tenant) -> Place {
        let mut state = self.state();
        state.waiting.retain(|(_, call)| !call.is_closed());
        self.place(&mut state, tenant)
    }

    fn place(&self, state: &mut State, tenant: Tenant) -> Place {
        if state.total < self.0.parallel && state.waiting.is_empty() {
            return Place::Turn(self.begin(state, tenant));
        }
        let (turn, waiting) = oneshot::channel();
        state.waiting.push_back((tenant, turn));
        Place::Waiting(waiting)
    }

    /// Calls that are computed, and calls that wait.
    pub(super) fn load(&self) -> (usize, usize) {
        let state = self.state();
        let waiting = state.waiting.iter().filter(|(_, call)| !call.is_closed());
        (state.total, waiting.count())
    }

    fn begin(&self, state: &mut State, tenant: Tenant) -> Turn {
        state.total = state.total.saturating_add(1);
        let running = state.running.entry(tenant).or_default();
        *running = running.saturating_add(1);
        Turn {
            queue: self.clone(),
            tenant,
            since: Instant::now(),
        }
    }

    /// How long those that wait will take, at the usual pace.
    fn estimate(&self, state: &State) -> Duration {
        let waiting = u32::try_from(state.waiting.len()).unwrap_or(u32::MAX);
        let parallel = u32::try_from(self.0.parallel).unwrap_or(u32::MAX).max(1);
        let all = state.usual.saturating_mul(waiting) / parallel;
        all.clamp(RETRY.0, RETRY.1)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self, turn: &Turn) {
        self.total = self.total.saturating_sub(1);
        if let Some(running) = self.running.get_mut(&turn.tenant) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(&turn.tenant);
            }
        }
        let took = turn.since.elapsed();
        self.usual = if self.usual.is_zero() {
            took
        } else {
            self.usual.saturating_mul(WEIGHT - 1).saturating_add(took) / WEIGHT
        };
    }

    /// The call that comes next.
    fn next(&mut self) -> Option<(Tenant, oneshot::Sender<Turn>)> {
        self.waiting.retain(|(_, call)| !call.is_closed());
        let of = |tenant: &Tenant| self.running.get(tenant).copied().unwrap_or(0);
        // The first of several that are equal.
        let next = self.waiting.iter().enumerate();
        let (place, _) = next.min_by_key(|(_, (tenant, _))| of(tenant))?;
        self.waiting.remove(place)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let queue = self.queue.clone();
        let mut passed = Vec::new();
        {
            let mut state = queue.state();
            state.end(self);
            while state.total < queue.0.parallel {
                let Some((tenant, call)) = state.next() else {
                    break;
                };
                passed.push((call, queue.begin(&mut state, tenant)));
            }
        }
        // Outside of the lock: a call that went away meanwhile gives its turn back at once.
        for (call, turn) in passed {
            drop(call.send(turn));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: u8) -> Tenant {
        Tenant([number; 32])
    }

    fn turn(queue: &Queue, number: u8) -> Turn {
        match queue.enter(tenant(number)).unwrap() {
            Place::Turn(turn) => turn,
            Place::Waiting(_) => panic!("it waits"),
        }
    }

    fn waiting(queue: &Queue, number: u8) -> oneshot::Receiver<Turn> {
        match queue.enter(tenant(number)).unwrap() {
            Place::Turn(_) => panic!("it does not wait"),
            Place::Waiting(waiting) => waiting,
        }
    }

    #[test]
    fn as_many_as_allowed_are_computed_and_the_next_ones_wait() {
        let queue = Queue::new(2, 8);
        let (a, _b) = (turn(&queue, 1), turn(&queue, 2));
        let mut c = waiting(&queue, 3);
        assert_eq!(queue.load(), (2, 1));
        assert!(c.try_recv().is_err());
        drop(a);
        assert!(c.try_recv().is_ok());
        assert_eq!(queue.load(), (1, 0));
    }

    #[test]
    fn a_tenant_with_many_calls_does_not_keep_one_with_a_single_call_waiting() {
        let queue = Queue::new(2, 8);
        let (first, _second) = (turn(&queue, 1), turn(&queue, 1));
        let mut greedy: Vec<_> = (0..4).map(|_| waiting(&queue, 1)).collect();
        let mut modest = waiting(&queue, 2);
        drop(first);
        let _held = modest.try_recv().unwrap();
        assert!(greedy.iter_mut().all(|call| call.try_recv().is_err()));
    }

    #[test]
    fn among_equals_the_first_comes_first() {
        let queue = Queue::new(1, 8);
        let held = turn(&queue, 9);
        let (mut a, mut b) = (waiting(&queue, 1), waiting(&queue, 2));
        drop(held);
        let held = a.try_recv().unwrap();
        assert!(b.try_recv().is_err());
        drop(held);
        assert!(b.try_recv().is_ok());
    }

    #[test]
    fn one_more_than_may_wait_is_turned_away_and_told_when_to_come_back() {
        let queue = Queue::new(1, 1);
        let _held = turn(&queue, 1);
        let gone = waiting(&queue, 2);
        let Err(full) = queue.enter(tenant(3)) else {
            panic!("it is not full")
        };
        assert_eq!(full.retry_after, RETRY.0);
        // One that goes away makes room.
        drop(gone);
        let _stays = waiting(&queue, 3);
    }

    #[test]
    fn those_that_wait_longer_are_told_to_come_back_later() {
        let queue = Queue::new(2, 4);
        queue.state().usual = Duration::from_secs(10);
        let _held = (turn(&queue, 1), turn(&queue, 1));
        let _all: Vec<_> = (0..4).map(|_| waiting(&queue, 1)).collect();
        let Err(full) = queue.enter(tenant(1)) else {
            panic!("it is not full")
        };
        assert_eq!(full.retry_after, Duration::from_secs(20));
    }

    #[test]
    fn a_turn_for_a_call_that_went_away_passes_to_the_next() {
        let queue = Queue::new(1, 8);
        let held = turn(&queue, 1);
        let gone = waiting(&queue, 2);
        let mut next = waiting(&queue, 3);
        drop(gone);
        drop(held);
        assert!(next.try_recv().is_ok());
        assert_eq!(queue.load(), (0, 0));
    }
}
