//! One operator's enclave.

use chrysalis_settle::{
    Report, money,
    price::{Load, Price},
};

/// Milliseconds of an epoch.
pub const EPOCH_MS: u64 = 60_000;
/// Jobs that an enclave does at once.
pub const SLOTS: u64 = 10;
/// Nano for what is worth 1: 0.02 of the coin for a million units.
pub const UNIT: f64 = 20_000_000.0;
/// What a job costs its operator, in shares of the price below which an operator does not sell, if it is its own and done for show.
const SHOW: f64 = 0.3;

/// What an operator does to earn more than others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Conduct {
    /// Nothing.
    Honest,
    /// Keeps this share of its slots busy with jobs of its own, so that it looks busy and its price rises.
    Wash(f64),
    /// Keeps this share of its slots back.
    Withhold(f64),
    /// Asks for a floor so many times as high.
    Floor(f64),
    /// From this epoch on, takes a fifth more than its price.
    Overcharge {
        /// The epoch.
        from: usize,
    },
}

/// So many slots are this share of all.
fn slots(share: f64) -> u64 {
    (share * SLOTS as f64).round() as u64
}

/// An enclave, and what clients know of it.
pub(crate) struct Provider {
    /// Worth: below this its operator would not sell.
    cost: f64,
    pub(crate) conduct: Conduct,
    key: [u8; 32],
    price: Price,
    epoch: usize,
    /// The last report.
    before: Option<Report>,
    /// No report of its was wrong.
    pub(crate) trusted: bool,
    /// Jobs of clients in this epoch.
    sold: u64,
    /// What the operator has earned, in worth.
    pub(crate) profit: f64,
}

impl Provider {
    pub(crate) fn new(number: u8, cost: f64, conduct: Conduct) -> Self {
        let mut provider = Self {
            cost,
            conduct,
            key: [number; 32],
            price: Price::new(0),
            epoch: 0,
            before: None,
            trusted: true,
            sold: 0,
            profit: 0.0,
        };
        provider.price = Price::new(provider.floor());
        provider
    }

    fn floor(&self) -> u64 {
        let times = match self.conduct {
            Conduct::Floor(times) => times,
            _ => 1.0,
        };
        (self.cost * times * UNIT) as u64
    }

    /// Nano that a job costs in this epoch.
    pub(crate) fn asked(&self) -> u64 {
        let base = self.price.base().expect("a price that fits");
        match self.conduct {
            Conduct::Overcharge { from } if self.epoch >= from => base + base / 5,
            _ => base,
        }
    }

    /// Slots that clients can have in this epoch.
    fn open(&self) -> u64 {
        match self.conduct {
            Conduct::Wash(share) | Conduct::Withhold(share) => SLOTS - slots(share),
            _ => SLOTS,
        }
    }

    /// Takes a job, if a slot is left.
    pub(crate) fn take(&mut self) -> bool {
        let free = self.sold < self.open();
        if free {
            self.sold += 1;
            self.profit += self.asked() as f64 / UNIT - self.cost;
        }
        free
    }

    /// Ends the epoch. Returns its report, or none if it says nothing that clients believe.
    pub(crate) fn end(&mut self) -> Option<Report> {
        let (own, all) = match self.conduct {
            Conduct::Wash(share) => (slots(share), SLOTS),
            Conduct::Withhold(_) => (0, self.open()),
            _ => (0, SLOTS),
        };
        self.profit -= own as f64 * self.cost * SHOW;
        let load = Load {
            used: (self.sold + own) * EPOCH_MS,
            capacity: all * EPOCH_MS,
        };
        let report = self.report(load);
        self.trusted &= report.follows(self.before.as_ref()).is_ok();
        self.price = self.price.after(load, self.floor());
        self.sold = 0;
        self.epoch += 1;
        self.before = Some(report.clone());
        self.trusted.then_some(report)
    }

    fn report(&self, load: Load) -> Report {
        let rates = [money::PER, 0, 0, 0];
        Report {
            receipt_key: self.key,
            weights: [1; 32],
            epoch: self.epoch as u64,
            price: self.price,
            rates,
            asked: [self.asked(), 0, 0, 0],
            load,
            jobs: self.sold,
            failed: 0,
            revenue: self.sold * self.asked(),
            tabs: 0,
            first_token_ms: 0,
            tokens_per_second: 0,
            ended: 0,
        }
    }

    /// Jobs of clients in this epoch so far.
    pub(crate) fn sold(&self) -> u64 {
        self.sold
    }

    /// Below this its operator would not sell, in worth.
    pub(crate) fn cost(&self) -> f64 {
        self.cost
    }
}
