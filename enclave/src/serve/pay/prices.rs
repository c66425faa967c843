//! What each model costs: a price that follows its own load, epoch by epoch (docs/spec/price.md), and the quotes that say so.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use chrysalis_settle::{
    Report,
    money::{self, Quote},
    price::{Load, Price},
};
use chrysalis_wire::{configuration, host::FIRST_TOKEN_BOUNDS_MS};

use super::work::Work;
use crate::{
    clock,
    engine::{Engines, Served},
};

/// The least time for which a quote is good.
const GOOD_FOR: Duration = Duration::from_mins(2);
/// The least quotes of a model that are kept.
const KEPT: usize = 4;
/// No price is more than so many floors.
const MOST_FLOORS: u64 = 44;

/// A quote as it was offered.
#[derive(Debug)]
pub(in crate::serve) struct Offer {
    pub(in crate::serve) quote: Quote,
    /// What jobs name it by.
    pub(in crate::serve) digest: [u8; 32],
    made: Instant,
}

/// How a job ended, as reports count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum Outcome {
    /// It owes so much.
    Owes(u64),
    /// It owes nothing, because it failed.
    Failed,
    /// It owes nothing: it was given up.
    GivenUp,
}

/// The prices of all models.
pub(in crate::serve) struct Prices {
    weights: [u64; 4],
    epoch: Duration,
    floor: u64,
    /// The highest floor with which every price can be computed.
    highest: u64,
    models: Vec<Priced>,
}

struct Priced {
    served: Arc<Served>,
    weights: [u8; 32],
    state: Mutex<State>,
}

struct State {
    price: Price,
    /// What [`State::price`] asks for each class of units.
    asked: [u64; 4],
    number: u64,
    began: Instant,
    /// The newest is the last.
    offers: VecDeque<Arc<Offer>>,
    /// Of the epoch before.
    tokens_per_second: u64,
    running: Vec<Weak<Work>>,
    tally: Tally,
    seen: Seen,
}

/// What an epoch has come to.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    used: u64,
    jobs: u64,
    failed: u64,
    revenue: u64,
}

/// What the engine's counters said when the epoch began.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    tokens: u64,
    first_token: [u64; FIRST_TOKEN_BOUNDS_MS.len() + 1],
}

impl Prices {
    /// Begins the first epoch of each model with the floor that its operator asks for.
    pub(in crate::serve) fn new(
        engines: &Engines,
        price: &configuration::Price,
        epoch: Duration,
        floor: u64,
    ) -> Self {
        let heaviest = price.weights.into_iter().max().unwrap_or_default();
        let heaviest = heaviest.div_ceil(money::PER).max(1);
        let mut all = Self {
            weights: price.weights,
            epoch,
            floor,
            highest: u64::MAX / MOST_FLOORS / heaviest,
            models: Vec::new(),
        };
        let first = Price::new(floor.min(all.highest));
        let now = Instant::now();
        for served in engines.all() {
            let mut weights = [0; 32];
            // The configuration's parser has checked the digits.
            let _ = hex::decode_to_slice(&served.model().weights, &mut weights);
            let state = State {
                price: first,
                asked: [0; 4],
                number: 0,
                began: now,
                offers: VecDeque::new(),
                tokens_per_second: 0,
                running: Vec::new(),
                tally: Tally::default(),
                seen: Seen::of(served),
            };
            let priced = Priced {
                served: served.clone(),
                weights,
                state: Mutex::new(state),
            };
            priced.offer(&mut priced.state(), all.weights, epoch, now);
            all.models.push(priced);
        }
        all
    }

    /// How long a price lasts.
    pub(in crate::serve) fn epoch(&self) -> Duration {
        self.epoch
    }

    /// What the operator asked for at the start.
    pub(in crate::serve) fn floor(&self) -> u64 {
        self.floor
    }

    /// The current offer of each model.
    pub(in crate::serve) fn offers(&self) -> Vec<Arc<Offer>> {
        let newest = |priced: &Priced| priced.state().offers.back().cloned();
        self.models.iter().filter_map(newest).collect()
    }

    /// The current offer of one.
    pub(in crate::serve) fn offer(&self, model: &str) -> Option<Arc<Offer>> {
        self.priced(model)?.state().offers.back().cloned()
    }

    /// The offer with this digest, while it is good.
    pub(in crate::serve) fn find(&self, digest: &[u8; 32]) -> Option<Arc<Offer>> {
        self.models.iter().find_map(|priced| {
            let state = priced.state();
            let found = state.offers.iter().find(|offer| offer.digest == *digest);
            found.cloned()
        })
    }

    /// A job on this model begins.
    pub(in crate::serve) fn begin(&self, model: &str) -> Arc<Work> {
        let work = Arc::new(Work::default());
        if let Some(priced) = self.priced(model) {
            priced.state().running.push(Arc::downgrade(&work));
        }
        work
    }

    /// It has ended.
    pub(in crate::serve) fn end(&self, model: &str, work: &Work, outcome: Outcome) {
        let Some(priced) = self.priced(model) else {
            return;
        };
        let mut state = priced.state();
        let tally = &mut state.tally;
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut tally.jobs, 1);
        match outcome {
            Outcome::Owes(amount) => {
                work.owes();
                add(&mut tally.revenue, amount);
            }
            Outcome::Failed => add(&mut tally.failed, 1),
            Outcome::GivenUp => {}
        }
        add(&mut tally.used, work.fresh());
        work.over();
    }

    /// Ends the epoch of each model and begins the next, for an operator who asks for this floor now. What there is to report of it.
    pub(in crate::serve) fn turn(
        &self,
        floor: u64,
        receipt_key: [u8; 32],
        tabs: usize,
    ) -> Vec<Report> {
        let now = Instant::now();
        let tabs = u64::try_from(tabs).unwrap_or(u64::MAX);
        let floor = floor.min(self.highest);
        let mut reports = Vec::new();
        for priced in &self.models {
            let mut state = priced.state();
            let seen = Seen::of(&priced.served);
            let report = priced.report(&mut state, &seen, now, (receipt_key, tabs, self.weights));
            state.price = state.price.after(report.load, floor);
            state.tokens_per_second = report.tokens_per_second;
            state.number = state.number.saturating_add(1);
            state.began = now;
            state.tally = Tally::default();
            state.seen = seen;
            priced.offer(&mut state, self.weights, self.epoch, now);
            reports.push(report);
        }
        reports
    }

    /// How fast a model was in the epoch before this one, all answers together. 0 before there was one.
    pub(in crate::serve) fn tokens_per_second(&self, model: &str) -> u64 {
        let priced = self.priced(model);
        priced.map_or(0, |priced| priced.state().tokens_per_second)
    }

    fn priced(&self, model: &str) -> Option<&Priced> {
        let mut models = self.models.iter();
        models.find(|priced| priced.served.model().name == model)
    }
}

impl Priced {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers the current price. It is good for two epochs more than its own, and two minutes.
    fn offer(&self, state: &mut State, weights: [u64; 4], epoch: Duration, now: Instant) {
        let base = state.price.base();
        // With the highest floor no price is too high to be computed; without one there is no offer.
        let Ok(price) = base.and_then(|base| money::prices(base, &weights)) else {
            state.offers.clear();
            return;
        };
        state.asked = price;
        let good_for = epoch.saturating_add(GOOD_FOR.max(epoch.saturating_mul(2)));
        let seconds = i64::try_from(good_for.as_secs()).unwrap_or(i64::MAX);
        let quote = Quote {
            model: self.served.model().name.clone(),
            weights: self.weights,
            price,
            floor: state.price.floor,
            epoch: state.number,
            until: clock::now().0.saturating_add(seconds),
        };
        let offer = Offer {
            digest: quote.digest(),
            quote,
            made: now,
        };
        state.offers.push_back(Arc::new(offer));
        while state.offers.len() > KEPT
            && let Some(oldest) = state.offers.front()
            && now.saturating_duration_since(oldest.made) > good_for
        {
            state.offers.pop_front();
        }
    }

    fn report(
        &self,
        state: &mut State,
        seen: &Seen,
        now: Instant,
        (receipt_key, tabs, rates): ([u8; 32], u64, [u64; 4]),
    ) -> Report {
        let running = std::mem::take(&mut state.running);
        for work in running {
            if let Some(running) = work.upgrade() {
                state.tally.used = state.tally.used.saturating_add(running.fresh());
                state.running.push(work);
            }
        }
        let lasted = now.saturating_duration_since(state.began).as_millis();
        let lasted = u64::try_from(lasted).unwrap_or(u64::MAX);
        let slots = u64::from(self.served.model().parallel);
        let tokens = seen.tokens.saturating_sub(state.seen.tokens);
        Report {
            receipt_key,
            weights: self.weights,
            epoch: state.number,
            price: state.price,
            rates,
            asked: state.asked,
            load: Load {
                used: state.tally.used,
                capacity: slots.saturating_mul(lasted),
            },
            jobs: state.tally.jobs,
            failed: state.tally.failed,
            revenue: state.tally.revenue,
            tabs,
            first_token_ms: seen.median_since(&state.seen),
            tokens_per_second: tokens
                .saturating_mul(1000)
                .checked_div(lasted)
                .unwrap_or_default(),
            ended: clock::now().0,
        }
    }
}

impl Seen {
    fn of(served: &Served) -> Self {
        let counters = served.counters();
        let first = counters.first_token.each_ref();
        Self {
            tokens: counters.completion_tokens.load(Ordering::Relaxed),
            first_token: first.map(|count| count.load(Ordering::Relaxed)),
        }
    }

    /// The median time to the first token since then: the bound under which it was counted. 0 if there was none.
    fn median_since(&self, before: &Self) -> u64 {
        let pairs = self.first_token.iter().zip(&before.first_token);
        let counts: Vec<u64> = pairs.map(|(now, then)| now.saturating_sub(*then)).collect();
        let all = counts
            .iter()
            .fold(0, |sum: u64, count| sum.saturating_add(*count));
        if all == 0 {
            return 0;
        }
        let mut sum = 0_u64;
        let middle = counts.iter().position(|count| {
            sum = sum.saturating_add(*count);
            sum >= all.div_ceil(2)
        });
        let bound = middle.and_then(|at| FIRST_TOKEN_BOUNDS_MS.get(at));
        let last = FIRST_TOKEN_BOUNDS_MS.last();
        bound.or(last).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
