//! What came of it.

use crate::UNIT;

/// Epochs until prices have found themselves, which figures leave out.
const SETTLED: usize = 60;

/// Of one run.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// The mean price paid in each epoch, in worth. An epoch in which nothing was sold has none.
    pub prices: Vec<Option<f64>>,
    /// Jobs sold in each epoch, by enclave.
    pub sold: Vec<Vec<u64>>,
    /// What the one operator earned, in worth.
    pub profit: f64,
    distances: Vec<f64>,
}

impl Figures {
    pub(crate) fn epoch(&mut self, sold: Vec<u64>, paid: u64, clearing: f64) {
        let jobs: u64 = sold.iter().sum();
        let price = (jobs > 0).then(|| paid as f64 / UNIT / jobs as f64);
        if let Some(price) = price.filter(|_| self.prices.len() > SETTLED) {
            self.distances.push((price / clearing).ln().abs());
        }
        self.prices.push(price);
        self.sold.push(sold);
    }

    /// Jobs sold in all.
    pub fn served(&self) -> u64 {
        self.sold.iter().flatten().sum()
    }

    /// How far the price is from the one that hindsight knows, as a logarithm: the median.
    pub fn distance(&self) -> f64 {
        median(self.distances.clone())
    }

    /// The median price, in worth.
    pub fn price(&self) -> f64 {
        let settled = self.prices.iter().skip(SETTLED);
        median(settled.copied().flatten().collect())
    }

    /// The dearest over the cheapest of the last epochs.
    pub fn swing(&self, last: usize) -> f64 {
        let tail = self.prices.iter().rev().take(last).flatten();
        let (low, high) = tail.fold((f64::MAX, 0.0_f64), |(low, high), price| {
            (low.min(*price), high.max(*price))
        });
        high / low
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
