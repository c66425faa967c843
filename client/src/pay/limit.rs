//! What a model may cost at an enclave, and what the enclave asks for it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use chrysalis_network::Asked;
use chrysalis_settle::{Rejection, money::Quote};

use crate::Error;

/// For so long a price says something about the next.
const FRESH: Duration = Duration::from_secs(300);
/// No price is too high.
const NONE: u64 = u64::MAX;
/// An epoch raises what stands over the floor by an eighth and a little at most (docs/spec/price.md), in thousandths; with room for rounding.
const GROWTH: u128 = 1130;
/// Under this, rounding is more than the rule.
const COARSE: u64 = 1000;
/// After so many epochs a price may be anything.
const MANY: u64 = 40;

/// The limit on one model's price. Prices are nano for a million units, as [`Asked`] counts.
#[derive(Debug)]
pub(crate) struct Limit {
    model: String,
    kind: String,
    most: AtomicU64,
    last: Mutex<Option<(Quote, Instant)>>,
}

impl Limit {
    /// For this model, of this kind; nothing is too high yet.
    pub(crate) fn new(model: &str, kind: &str) -> Self {
        Self {
            model: model.to_owned(),
            kind: kind.to_owned(),
            most: AtomicU64::new(NONE),
            last: Mutex::default(),
        }
    }

    /// From now on, more than this is too high.
    pub(crate) fn set(&self, most: Option<u64>) {
        self.most.store(most.unwrap_or(NONE), Relaxed);
    }

    /// What the enclave asked of late.
    pub(crate) fn asked(&self) -> Option<u64> {
        let last = self.last();
        let fresh = last.as_ref().filter(|(_, at)| at.elapsed() < FRESH);
        fresh.map(|(quote, _)| self.price_of(quote))
    }

    fn last(&self) -> MutexGuard<'_, Option<(Quote, Instant)>> {
        // It is replaced as a whole.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One number for a quote.
    pub(crate) fn price_of(&self, quote: &Quote) -> u64 {
        Asked::price_of(&self.kind, &quote.price)
    }

    /// Notes what the enclave asks; refuses what its measured rule could not have made of what it asked before.
    pub(crate) fn note(&self, quotes: &[Quote]) -> Result<(), Rejection> {
        let Some(quote) = quotes.iter().find(|quote| quote.model == self.model) else {
            return Ok(());
        };
        let mut last = self.last();
        if let Some((last, _)) = last.as_ref() {
            // Another connection may have heard of a later epoch already.
            if quote.epoch < last.epoch {
                return Ok(());
            }
            follows(last, quote)?;
        }
        *last = Some((quote.clone(), Instant::now()));
        Ok(())
    }

    /// Refuses a quote over the limit: before anything is asked by it.
    pub(crate) fn check(&self, quote: &Quote) -> Result<(), Error> {
        let (asked, most) = (self.price_of(quote), self.most.load(Relaxed));
        if asked <= most {
            Ok(())
        } else {
            Err(Error::TooDear { asked, most })
        }
    }
}

/// Whether the price rule can lead from one quote to the next. Only the enclave's reports say whether it did; this bounds what it takes from
/// those who do not read them.
fn follows(before: &Quote, after: &Quote) -> Result<(), Rejection> {
    let broken = |what| Err(Rejection::PriceRule { what });
    let epochs = after.epoch.saturating_sub(before.epoch);
    if epochs == 0 {
        return if (before.floor, before.price) == (after.floor, after.price) {
            Ok(())
        } else {
            broken("price")
        };
    }
    if epochs > MANY || before.floor < COARSE {
        return Ok(());
    }
    let (mut highest, mut most) = (before.floor, 1000_u128);
    for _ in 0..epochs {
        highest = highest.saturating_add((highest / 8).max(1));
        most = most.saturating_mul(GROWTH) / 1000 + 1;
    }
    if after.floor > highest {
        return broken("floor");
    }
    for (before_price, price) in before.price.iter().zip(after.price) {
        let product = u128::from(*before_price).checked_mul(after.floor.into());
        let moved = product.and_then(|it| it.checked_div(before.floor.into()));
        let allowed = moved.map_or(u128::MAX, |it| it.saturating_mul(most) / 1000);
        let slack = u128::from(*before_price) / 50 + 2;
        if *before_price >= COARSE && u128::from(price) > allowed.saturating_add(slack) {
            return broken("price");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrysalis_settle::{
        money,
        price::{Load, Price},
    };

    use super::*;

    fn quote(price: &Price, epoch: u64) -> Quote {
        Quote {
            model: "m".into(),
            weights: [0; 32],
            price: money::prices(price.base().unwrap(), &[1_000_000, 250_000, 3_000_000, 0])
                .unwrap(),
            floor: price.floor,
            epoch,
            until: 0,
        }
    }

    const FULL: Load = Load {
        used: 60_000,
        capacity: 60_000,
    };

    #[test]
    fn what_the_rule_makes_is_taken_however_fast_it_rises() {
        for floor in [1, 999, 1000, 20_000_000, 1 << 50] {
            for step in [1, 3, 7] {
                let limit = Limit::new("m", "chat");
                let mut price = Price::new(floor);
                for epoch in 0..120 {
                    if epoch % step == 0 {
                        let noted = limit.note(&[quote(&price, epoch)]);
                        assert_eq!(noted, Ok(()), "floor {floor}, step {step}, epoch {epoch}");
                    }
                    price = price.after(FULL, price.floor.saturating_mul(2));
                    if price.floor > 1 << 54 {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn what_the_rule_cannot_make_is_refused_by_name() {
        let price = Price::new(20_000_000);
        let honest = quote(&price, 5);
        let next = quote(&price.after(FULL, price.floor), 6);
        let broken = |change: fn(&mut Quote)| {
            let limit = Limit::new("m", "chat");
            limit.note(std::slice::from_ref(&honest)).unwrap();
            let mut changed = next.clone();
            change(&mut changed);
            let refused = limit.note(&[changed]);
            assert_eq!(limit.asked(), Some(60_000_000));
            refused.unwrap_err().code()
        };
        for change in [
            |quote: &mut Quote| quote.price[2] += quote.price[2] / 10,
            |quote: &mut Quote| quote.floor += quote.floor / 4,
            // Within an epoch nothing moves.
            |quote: &mut Quote| quote.epoch = 5,
        ] {
            assert_eq!(broken(change), "price_rule_broken");
        }
        let limit = Limit::new("m", "chat");
        limit.note(&[next]).unwrap();
        assert_eq!(limit.note(&[honest]), Ok(()), "an older one says nothing");
    }
}
