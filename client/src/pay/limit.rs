//! What a model may cost at an enclave, and what the enclave asks for it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use chrysalis_network::Asked;
use chrysalis_settle::money::Quote;

use crate::Error;

/// No price is known, or none is too high.
const NONE: u64 = u64::MAX;

/// The limit on one model's price. Prices are nano for a million units, as [`Asked`] counts.
#[derive(Debug)]
pub(crate) struct Limit {
    model: String,
    kind: String,
    most: AtomicU64,
    asked: AtomicU64,
}

impl Limit {
    /// For this model, of this kind; nothing is too high yet.
    pub(crate) fn new(model: &str, kind: &str) -> Self {
        Self {
            model: model.to_owned(),
            kind: kind.to_owned(),
            most: AtomicU64::new(NONE),
            asked: AtomicU64::new(NONE),
        }
    }

    /// From now on, more than this is too high.
    pub(crate) fn set(&self, most: Option<u64>) {
        self.most.store(most.unwrap_or(NONE), Relaxed);
    }

    /// What the enclave asked last.
    pub(crate) fn asked(&self) -> Option<u64> {
        Some(self.asked.load(Relaxed)).filter(|asked| *asked != NONE)
    }

    /// One number for a quote.
    pub(crate) fn price_of(&self, quote: &Quote) -> u64 {
        Asked::price_of(&self.kind, &quote.price)
    }

    /// Notes what the enclave asks.
    pub(crate) fn note(&self, quotes: &[Quote]) {
        if let Some(quote) = quotes.iter().find(|quote| quote.model == self.model) {
            self.asked.store(self.price_of(quote), Relaxed);
        }
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
