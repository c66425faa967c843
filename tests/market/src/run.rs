//! Epoch after epoch.

use chrysalis_settle::Report;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, LogNormal};

use crate::{
    Conduct, Demand, Figures, UNIT,
    demand::{share_above, worth},
    provider::{Provider, SLOTS},
};

const PROVIDERS: u8 = 60;
/// How often a client asks before it gives up.
const TRIES: usize = 3;
/// At this share of all slots in use, supply and demand agree.
const AGREE: f64 = 0.75;

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Market {
    /// How demand goes on.
    pub demand: Demand,
    /// How far apart clients' wishes are: 0.6, and dearer is bought much less; 1.5, and hardly less.
    pub spread: f64,
    /// Epochs.
    pub epochs: usize,
    /// Chance, always the same for the same number.
    pub seed: u64,
    /// The share of all enclaves that one operator has.
    pub share: f64,
    /// What it does with them.
    pub conduct: Conduct,
}

impl Default for Market {
    fn default() -> Self {
        Self {
            demand: Demand::Daily,
            spread: 0.6,
            epochs: 900,
            seed: 1,
            share: 0.0,
            conduct: Conduct::Honest,
        }
    }
}

impl Market {
    /// Runs it.
    pub fn run(&self) -> Figures {
        self.run_and_tell(&mut |_, _| ())
    }

    /// Runs it, and hands over each report that clients believed, with the number of its enclave.
    pub fn run_and_tell(&self, tell: &mut dyn FnMut(usize, Report)) -> Figures {
        let mut chance = SmallRng::seed_from_u64(self.seed);
        let mut providers = self.providers(&mut chance);
        let operators = self.operators();
        let mut figures = Figures::default();
        for epoch in 0..self.epochs {
            let requests = self.demand.requests(epoch, &mut chance);
            self.sell(&mut providers, requests as usize, &mut chance);
            let clearing = self.clearing(&providers, requests);
            let sold = providers.iter().map(Provider::sold);
            let paid = providers.iter().map(|it| it.sold() * it.asked()).sum();
            figures.epoch(sold.collect(), paid, clearing);
            for (number, provider) in providers.iter_mut().enumerate() {
                if let Some(report) = provider.end() {
                    tell(number, report);
                }
            }
        }
        figures.profit = providers[..operators].iter().map(|it| it.profit).sum();
        figures
    }

    /// How many enclaves the one operator has.
    fn operators(&self) -> usize {
        (f64::from(PROVIDERS) * self.share).round() as usize
    }

    fn providers(&self, chance: &mut SmallRng) -> Vec<Provider> {
        let costs = LogNormal::new(-1.2, 0.5).expect("a distribution");
        let operators = self.operators();
        (0..PROVIDERS)
            .map(|number| {
                let cost = costs.sample(chance);
                if usize::from(number) < operators {
                    Provider::new(number, 0.3, self.conduct)
                } else {
                    Provider::new(number, cost, Conduct::Honest)
                }
            })
            .collect()
    }

    /// Each request goes to an enclave that it can pay: the cheaper, the likelier, by the square of the price.
    fn sell(&self, providers: &mut [Provider], requests: usize, chance: &mut SmallRng) {
        let mut offers: Vec<(f64, usize)> = providers
            .iter()
            .enumerate()
            .filter(|(_, provider)| provider.trusted)
            .map(|(number, provider)| (provider.asked() as f64 / UNIT, number))
            .collect();
        offers.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut sum = 0.0;
        let weights: Vec<f64> = offers
            .iter()
            .map(|(price, _)| {
                sum += price.powi(-2);
                sum
            })
            .collect();
        for _ in 0..requests {
            let worth = worth(self.spread, chance);
            let payable = offers.partition_point(|(price, _)| *price <= worth);
            let Some(all) = payable.checked_sub(1).map(|last| weights[last]) else {
                continue;
            };
            for _ in 0..TRIES {
                let drawn = chance.random::<f64>() * all;
                let at = weights.partition_point(|weight| *weight <= drawn);
                if providers[offers[at.min(payable - 1)].1].take() {
                    break;
                }
            }
        }
    }

    /// The price, known in hindsight, at which what is wanted is [`AGREE`] of what is offered.
    fn clearing(&self, providers: &[Provider], requests: f64) -> f64 {
        let (mut low, mut high) = (1e-3_f64, 50.0_f64);
        for _ in 0..50 {
            let price = (low * high).sqrt();
            let offered = providers.iter().filter(|it| it.cost() <= price).count() as f64;
            let wanted = requests * share_above(price, self.spread);
            if wanted > offered * SLOTS as f64 * AGREE {
                low = price;
            } else {
                high = price;
            }
        }
        (low * high).sqrt()
    }
}
