//! What a model's work costs at one enclave: the operator's floor, raised by how busy the enclave was. Integers alone, so that anyone who
//! has the reports computes the same.

use crate::{Rejection, money::PER};

/// The share of time, in millionths, at which a price stays as it is.
pub const TARGET: u64 = 750_000;
/// The most that an epoch moves `x`.
pub const STEP: u64 = 250_000;
/// Where `x` stops.
pub const MAX_X: u64 = 8_000_000;
/// `x` over this is the exponent.
const SLOWNESS: u128 = 2_120_000;

/// A model's price, as an epoch leaves it for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Nano: the least that the operator asks for [`PER`] units of weight [`PER`].
    pub floor: u64,
    /// How much was asked of the enclave so far, in millionths: 0 after a start, at most [`MAX_X`].
    pub x: u64,
}

/// What an epoch was used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Milliseconds of slots spent on jobs that owe something.
    pub used: u64,
    /// Milliseconds of slots that there were.
    pub capacity: u64,
}

impl Price {
    /// After a start.
    pub fn new(floor: u64) -> Self {
        Self { floor, x: 0 }
    }

    /// The price that weights are applied to: `floor × e^(x / 2 120 000)`, by EIP-4844's `fake_exponential`. At most 43 floors.
    pub fn base(&self) -> Result<u64, Rejection> {
        let base = fake_exponential(self.floor.into(), self.x.min(MAX_X).into(), SLOWNESS);
        u64::try_from(base).map_err(|_| Rejection::Overflow)
    }

    /// After an epoch with this load, for an operator who asks for this floor now. The floor follows by an eighth an epoch at most, so
    /// that nobody is lured by one price and charged another.
    #[must_use]
    pub fn after(&self, load: Load, asked: u64) -> Self {
        let by = (self.floor / 8).max(1);
        let floor = asked.clamp(self.floor.saturating_sub(by), self.floor.saturating_add(by));
        let share = load.share();
        let x = if share >= TARGET {
            self.x
                .saturating_add(share.saturating_sub(TARGET).min(STEP))
        } else {
            self.x
                .saturating_sub(TARGET.saturating_sub(share).min(STEP))
        };
        Self {
            floor,
            x: x.min(MAX_X),
        }
    }
}

impl Load {
    /// The share of the capacity that was used, in millionths. An epoch without capacity changes no price.
    pub fn share(&self) -> u64 {
        let used = u128::from(self.used).saturating_mul(PER.into());
        match used.checked_div(self.capacity.into()) {
            Some(share) => u64::try_from(share).unwrap_or(u64::MAX),
            None => TARGET,
        }
    }
}

/// `factor × e^(numerator / denominator)`, rounded down, by its Taylor series (EIP-4844). With the numbers of this file no product has more
/// than 112 bits.
fn fake_exponential(factor: u128, numerator: u128, denominator: u128) -> u128 {
    let mut sum = 0_u128;
    let mut term = factor.saturating_mul(denominator);
    let mut by = denominator;
    while term > 0 {
        sum = sum.saturating_add(term);
        let next = term.saturating_mul(numerator).checked_div(by);
        term = next.unwrap_or_default();
        by = by.saturating_add(denominator);
    }
    sum.checked_div(denominator).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FULL: Load = load(100);
    const EMPTY: Load = load(0);

    const fn load(percent: u64) -> Load {
        Load {
            used: percent * 600,
            capacity: 60_000,
        }
    }

    fn after(price: Price, epochs: u32, load: Load) -> Price {
        (0..epochs).fold(price, |price, _| price.after(load, price.floor))
    }

    #[test]
    fn a_busy_epoch_costs_an_eighth_more_and_an_idle_one_a_ninth_less() {
        let price = Price::new(1_000_000_000);
        let busy = after(price, 1, FULL);
        assert_eq!(busy.base(), Ok(1_125_159_190));
        let idle = after(after(price, 9, FULL), 1, EMPTY);
        assert_eq!(idle, after(price, 8, FULL));
        assert_eq!(after(price, 5, load(75)), price);
        assert_eq!(after(price, 5, EMPTY), price);
        assert_eq!(after(price, 1, load(76)).x, 10_000);
        assert_eq!(after(busy, 1, load(74)).x, 240_000);
        let most = after(price, 1000, FULL);
        assert_eq!((most.x, most.base()), (MAX_X, Ok(43_535_857_359)));
    }

    #[test]
    fn a_floor_follows_by_an_eighth_an_epoch() {
        let price = Price::new(800);
        let asked = |floor| price.after(EMPTY, floor).floor;
        assert_eq!([0, 750, 850, 10_000].map(asked), [700, 750, 850, 900]);
        // A floor of next to nothing still rises.
        let raised = (0..12).fold(Price::new(0), |price, _| price.after(EMPTY, 100));
        assert_eq!(raised.floor, 12);
    }

    #[test]
    fn a_share_is_defined_whatever_was_counted() {
        assert_eq!(Load::default().share(), TARGET);
        let over = Load {
            used: u64::MAX,
            capacity: 1,
        };
        assert_eq!(over.share(), u64::MAX);
        assert_eq!(Price::new(1).after(over, 1).x, STEP);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let price = |floor| Price { floor, x: MAX_X }.base();
        assert_eq!(price(u64::MAX), Err(Rejection::Overflow));
        assert_eq!(Price::new(u64::MAX).base(), Ok(u64::MAX));
        assert!(price(u64::MAX / 44).is_ok());
    }

    proptest! {
        /// A price never falls below its floor, rises with the load, and follows the exponential to a thousandth.
        #[test]
        fn it_is_the_exponential(floor in 1_000_000_u64..1 << 56, x in 0..=MAX_X, more in 0..=MAX_X) {
            let base = |x| Price { floor, x }.base().unwrap();
            #[expect(clippy::cast_precision_loss, reason = "compared to a thousandth")]
            let exact = floor as f64 * (x as f64 / 2_120_000.0).exp();
            #[expect(clippy::cast_precision_loss, reason = "compared to a thousandth")]
            let found = base(x) as f64;
            prop_assert!((found / exact - 1.0).abs() < 0.001, "{found} {exact}");
            prop_assert!(base(x) >= floor && base(x.max(more)) >= base(x));
        }

        /// How an epoch got where it is does not matter: the same loads in another order end at the same price, away from the ends.
        #[test]
        fn it_has_no_memory_of_the_path(mut loads in proptest::collection::vec(50_u64..=100, 1..8)) {
            let start = Price { floor: 1000, x: 4_000_000 };
            let through = |loads: &[u64]| loads.iter().fold(start, |price, percent| price.after(load(*percent), 1000));
            let there = through(&loads);
            loads.reverse();
            prop_assert_eq!(there, through(&loads));
        }
    }
}
