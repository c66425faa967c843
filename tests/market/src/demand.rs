//! How much is asked for, and how dear it may be.

use std::f64::consts::{SQRT_2, TAU};

use rand::{Rng, rngs::SmallRng};
use rand_distr::{Distribution, LogNormal, Normal};

/// Requests an epoch at an ordinary hour.
const ORDINARY: f64 = 620.0;
/// The course of a day, in epochs.
const DAY: f64 = 300.0;

/// How demand goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Demand {
    /// The same in every epoch.
    Constant,
    /// The same, but many times as much from this epoch on.
    Step {
        /// The epoch.
        at: usize,
        /// How many times as much.
        times: f64,
    },
    /// Up and down by 45 % a day, no epoch like the other, and three times as much for an hour.
    Daily,
}

impl Demand {
    /// Requests in this epoch.
    pub(crate) fn requests(self, epoch: usize, chance: &mut SmallRng) -> f64 {
        match self {
            Self::Step { at, times } if epoch >= at => ORDINARY * times,
            Self::Constant | Self::Step { .. } => ORDINARY,
            Self::Daily => {
                let hour = 1.0 + 0.45 * (TAU * epoch as f64 / DAY).sin();
                let shock = if (450..510).contains(&epoch) {
                    3.0
                } else {
                    1.0
                };
                let noise = Normal::new(1.0, 0.08)
                    .expect("a distribution")
                    .sample(chance);
                ORDINARY * hour * shock * noise
            }
        }
    }
}

/// The most that a request may cost: 1 in the middle, and as far from it as `spread` says. A small spread means that dearer is bought much
/// less.
pub(crate) fn worth(spread: f64, chance: &mut impl Rng) -> f64 {
    let worth = LogNormal::new(0.0, spread).expect("a distribution");
    worth.sample(chance)
}

/// The share of requests that are worth at least this price.
pub(crate) fn share_above(price: f64, spread: f64) -> f64 {
    0.5 * erfc(price.ln() / (spread * SQRT_2))
}

/// The complementary error function, to 1.2 × 10^-7 (Press et al., Numerical Recipes, §6.2).
fn erfc(x: f64) -> f64 {
    const SERIES: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let polynomial = SERIES.iter().rev().fold(0.0, |sum, term| sum * t + term);
    let positive = t * (polynomial - x * x).exp();
    if x < 0.0 { 2.0 - positive } else { positive }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_are_worth_the_middle() {
        for (price, spread, share) in [
            (1.0, 0.6, 0.5),
            (1.0, 1.5, 0.5),
            (0.6_f64.exp(), 0.6, 0.158_655_25),
            ((-1.2_f64).exp(), 0.6, 0.977_249_87),
        ] {
            assert!((share_above(price, spread) - share).abs() < 1e-6);
        }
    }
}
