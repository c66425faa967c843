//! Money for those who are asked: a lane for each operator, filled up before it is empty, and never more than the budget in all.
//!
//! A lane is locked only for an operator whose enclave has been verified. What locks it is an argument: this crate knows no chain.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::spawn_blocking, time::Instant};

use crate::{Lane, Payer};

/// A lane with less than this of a new one's money, in hundredths, is filled up.
const LOW: u64 = 20;
/// The shortest delay of closing that is asked for, in seconds: providers have that long to claim.
const DELAY: u64 = 6 * 3600;
/// After an order that failed, the chain may still take it for so long.
const UNSURE: Duration = Duration::from_secs(120);

/// A purse: what it has locked, and how it locks more. Calls block.
pub trait Purse: Send + Sync {
    /// Its open lanes whose keys are here.
    fn lanes(&self) -> Result<Vec<Open>, String>;
    /// Locks money, and returns the lane once the chain shows it.
    fn lock(&self, order: &Order) -> Result<Open, String>;
}

/// A lane that is open.
pub struct Open {
    /// It, with its key.
    pub lane: Lane,
    /// Who is paid: an account in workchain 0.
    pub payee: [u8; 32],
    /// Nano that were ever locked in it.
    pub locked: u64,
    /// Nano of that which were paid.
    pub paid: u64,
}

/// What is to be locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Who is to be paid.
    pub payee: [u8; 32],
    /// Nano.
    pub amount: u64,
    /// Add to this lane; `None`: a new one.
    pub lane: Option<u32>,
    /// Seconds: how long closing a new one takes.
    pub delay: u64,
}

/// How much may be locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The most lanes.
    pub lanes: usize,
    /// Nano in a new one, and in what fills one up.
    pub lane: u64,
    /// Nano in all: what is found locked and unpaid at the start, and what is locked from then on.
    pub most: u64,
    /// Nano that one job may cost.
    pub job: u64,
    /// The first branch.
    pub branch: u16,
}

/// Who wants a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) payee: [u8; 32],
    pub(crate) lane_min: u64,
    pub(crate) delay_min: u64,
}

/// The lanes of a proxy.
pub struct Lanes {
    purse: Arc<dyn Purse>,
    budget: Budget,
    state: Mutex<State>,
    /// One order at a time.
    ordering: tokio::sync::Mutex<()>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    open: BTreeMap<[u8; 32], Funded>,
    /// Nano that count against the budget.
    counted: u64,
    /// An order failed then: whether it was taken is not known.
    unsure: Option<Instant>,
}

struct Funded {
    payer: Arc<Payer>,
    number: u32,
    locked: u64,
    paid: u64,
    /// The provider said that it is empty.
    low: bool,
}

impl Funded {
    fn left(&self) -> u64 {
        self.locked.saturating_sub(self.paid.max(self.payer.owed()))
    }
}

impl Lanes {
    /// With the lanes that the purse has. Those of the same payee count once, as the one with the most left.
    pub async fn open(purse: Arc<dyn Purse>, budget: Budget) -> Result<Self, String> {
        let asked = Arc::clone(&purse);
        let found = spawn_blocking(move || asked.lanes()).await;
        let found = found.map_err(|error| error.to_string())??;
        let mut state = State::default();
        for open in found {
            let left = open.locked.saturating_sub(open.paid);
            state.counted = state.counted.saturating_add(left);
            let better = state
                .open
                .get(&open.payee)
                .is_none_or(|it| it.left() < left);
            if better {
                state.open.insert(open.payee, Funded::of(open, &budget));
            }
        }
        Ok(Self {
            purse,
            budget,
            state: Mutex::new(state),
            ordering: tokio::sync::Mutex::default(),
            changed: watch::channel(0).0,
        })
    }

    /// Who pays this operator, if there is a lane.
    pub(crate) fn payer(&self, payee: &[u8; 32]) -> Option<Arc<Payer>> {
        let state = self.lock();
        state.open.get(payee).map(|open| Arc::clone(&open.payer))
    }

    /// Whether there is a lane for this operator, or one could be locked.
    pub(crate) fn is_possible(&self, wanted: &Wanted) -> bool {
        let state = self.lock();
        state.open.contains_key(&wanted.payee)
            || (state.open.len() < self.budget.lanes && self.allows(&state, self.amount(wanted)))
    }

    /// How many there are, of how many.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.lock().open.len(), self.budget.lanes)
    }

    /// Nano that count against the budget by now.
    pub fn counted(&self) -> u64 {
        self.lock().counted
    }

    /// A provider says that the lane has too little left for a job.
    pub(crate) fn is_low(&self, payee: &[u8; 32]) {
        if let Some(open) = self.lock().open.get_mut(payee) {
            open.low = true;
        }
        self.tell();
    }

    /// Changes when a lane has.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Locks what is missing for these, the first ones first.
    pub(crate) async fn tend(&self, wanted: &[Wanted]) {
        let _one = self.ordering.lock().await;
        for wanted in wanted {
            if let Some(order) = self.next(wanted) {
                self.order(order).await;
            }
        }
    }

    /// The order for this operator, counted already.
    fn next(&self, wanted: &Wanted) -> Option<Order> {
        let mut state = self.lock();
        if state.unsure.is_some_and(|at| at.elapsed() < UNSURE) {
            return None;
        }
        let amount = self.amount(wanted);
        let lane = match state.open.get(&wanted.payee) {
            Some(open) => {
                let is_low = open.low || open.left() < self.budget.lane / 100 * LOW;
                Some(is_low.then_some(open.number)?)
            }
            None if state.open.len() < self.budget.lanes => None,
            None => return None,
        };
        if !self.allows(&state, amount) {
            return None;
        }
        // Before it is sent: whatever becomes of the order, no other can go over the budget.
        state.counted = state.counted.saturating_add(amount);
        Some(Order {
            payee: wanted.payee,
            amount,
            lane,
            delay: wanted.delay_min.max(DELAY),
        })
    }

    async fn order(&self, order: Order) {
        let purse = Arc::clone(&self.purse);
        let sent = order.clone();
        let locked = spawn_blocking(move || purse.lock(&sent)).await;
        let locked = locked.unwrap_or_else(|error| Err(error.to_string()));
        let mut state = self.lock();
        match locked {
            Ok(open) => {
                tracing::info!(
                    event = "lane_locked",
                    lane = open.lane.number,
                    nano = order.amount
                );
                match state.open.get_mut(&order.payee) {
                    Some(known) if known.number == open.lane.number => {
                        (known.locked, known.paid, known.low) = (open.locked, open.paid, false);
                    }
                    _ => {
                        state
                            .open
                            .insert(order.payee, Funded::of(open, &self.budget));
                    }
                }
            }
            Err(why) => {
                // It stays counted: perhaps the chain takes it later.
                tracing::warn!(event = "lane_not_locked", %why);
                state.unsure = Some(Instant::now());
            }
        }
        drop(state);
        self.tell();
    }

    fn amount(&self, wanted: &Wanted) -> u64 {
        self.budget.lane.max(wanted.lane_min)
    }

    fn allows(&self, state: &State, amount: u64) -> bool {
        state
            .counted
            .checked_add(amount)
            .is_some_and(|sum| sum <= self.budget.most)
    }

    fn tell(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No holder of this lock can leave it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Funded {
    fn of(open: Open, budget: &Budget) -> Self {
        Self {
            number: open.lane.number,
            locked: open.locked,
            paid: open.paid,
            low: false,
            payer: Payer::new(open.lane, budget.job, budget.branch),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrysalis_settle::Sign;

    use super::*;

    struct NoKey;

    impl Sign for NoKey {
        fn sign(&self, _: &[u8; 32]) -> Option<[u8; 64]> {
            None
        }
    }

    /// Has these lanes, and takes orders unless it is broken.
    #[derive(Default)]
    struct Fake {
        found: Mutex<Vec<Open>>,
        orders: Mutex<Vec<Order>>,
        broken: std::sync::atomic::AtomicBool,
    }

    fn open(number: u32, payee: u8, locked: u64, paid: u64) -> Open {
        Open {
            lane: Lane {
                purse: [7; 32],
                number,
                key: Box::new(NoKey),
            },
            payee: [payee; 32],
            locked,
            paid,
        }
    }

    impl Purse for Fake {
        fn lanes(&self) -> Result<Vec<Open>, String> {
            Ok(std::mem::take(&mut self.found.lock().unwrap()))
        }

        fn lock(&self, order: &Order) -> Result<Open, String> {
            let mut orders = self.orders.lock().unwrap();
            orders.push(order.clone());
            if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
                return Err("the chain is away".into());
            }
            let new = u32::try_from(orders.len()).unwrap();
            let number = order.lane.unwrap_or(new);
            let of_it = orders.iter().filter(|it| it.payee == order.payee);
            let locked = of_it.map(|it| it.amount).sum();
            Ok(open(number, order.payee[0], locked, 0))
        }
    }

    const BUDGET: Budget = Budget {
        lanes: 2,
        lane: 500,
        most: 1200,
        job: 10,
        branch: 0,
    };

    fn wanted(payee: u8) -> Wanted {
        Wanted {
            payee: [payee; 32],
            lane_min: 100,
            delay_min: 7 * 3600,
        }
    }

    async fn lanes(found: Vec<Open>) -> (Arc<Fake>, Lanes) {
        let fake = Arc::new(Fake::default());
        *fake.found.lock().unwrap() = found;
        let purse = Arc::clone(&fake);
        (fake, Lanes::open(purse, BUDGET).await.unwrap())
    }

    fn amounts(fake: &Fake) -> Vec<(u8, u64, Option<u32>)> {
        let orders = fake.orders.lock().unwrap();
        let told = orders.iter().map(|it| (it.payee[0], it.amount, it.lane));
        told.collect()
    }

    #[tokio::test]
    async fn a_lane_for_each_operator_but_not_more_than_were_allowed() {
        let (fake, lanes) = lanes(Vec::new()).await;
        lanes
            .tend(&[wanted(1), wanted(1), wanted(2), wanted(3)])
            .await;
        assert_eq!(amounts(&fake), [(1, 500, None), (2, 500, None)]);
        assert_eq!(fake.orders.lock().unwrap()[0].delay, 7 * 3600);
        assert!(lanes.payer(&[1; 32]).is_some() && lanes.payer(&[3; 32]).is_none());
        assert!(lanes.is_possible(&wanted(1)) && !lanes.is_possible(&wanted(3)));
        assert_eq!((lanes.count(), lanes.counted()), ((2, 2), 1000));
    }

    #[tokio::test]
    async fn one_that_is_low_is_filled_up_and_never_over_the_budget() {
        let (fake, lanes) = lanes(vec![open(9, 1, 500, 401), open(8, 2, 500, 399)]).await;
        assert_eq!(lanes.counted(), 200);
        lanes.tend(&[wanted(1), wanted(2)]).await;
        assert_eq!(amounts(&fake), [(1, 500, Some(9))], "under a fifth");
        // A provider may say so as well.
        lanes.is_low(&[2; 32]);
        lanes.tend(&[wanted(2)]).await;
        assert_eq!(lanes.counted(), 1200);
        lanes.is_low(&[2; 32]);
        lanes.is_low(&[1; 32]);
        lanes.tend(&[wanted(1), wanted(2)]).await;
        assert_eq!(lanes.counted(), 1200);
        assert_eq!(fake.orders.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn the_larger_minimum_counts_and_may_be_too_much() {
        let (fake, lanes) = lanes(Vec::new()).await;
        let dear = |lane_min| Wanted {
            lane_min,
            ..wanted(1)
        };
        assert!(!lanes.is_possible(&dear(1201)));
        lanes.tend(&[dear(1201), dear(1200)]).await;
        assert_eq!(amounts(&fake), [(1, 1200, None)]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_that_failed_may_yet_be_taken_so_it_stays_counted() {
        let (fake, lanes) = lanes(Vec::new()).await;
        let broken = |is| fake.broken.store(is, std::sync::atomic::Ordering::SeqCst);
        broken(true);
        lanes.tend(&[wanted(1), wanted(2)]).await;
        assert_eq!(
            amounts(&fake).len(),
            1,
            "nothing more while it is not known"
        );
        broken(false);
        lanes.tend(&[wanted(1)]).await;
        assert_eq!(amounts(&fake).len(), 1);
        tokio::time::advance(UNSURE).await;
        lanes.tend(&[wanted(1), wanted(2)]).await;
        assert_eq!(amounts(&fake).len(), 2);
        assert_eq!(lanes.counted(), 1000, "and the third would be over 1200");
    }
}
