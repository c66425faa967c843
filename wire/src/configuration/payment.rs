//! Whether answers are paid for, and by which price.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whether answers are paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payment {
    /// Nobody can pay.
    #[default]
    None,
    /// Who wants to, pays.
    Optional,
    /// Who does not pay is not answered.
    Required,
}

impl Payment {
    /// Whether nobody can pay.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What units cost, in terms of a price that floats (docs/spec/price.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Millionths of the price for each class of units: prompt tokens that are read, prompt tokens that are cached, completion tokens,
    /// milliseconds of audio.
    pub weights: [u64; 4],
    /// Seconds that a price lasts: 5 to 3,600.
    #[serde(default = "price_seconds")]
    pub epoch_seconds: u32,
}

impl Price {
    /// The heaviest weight: a unit that costs a million times the price.
    pub const MAX_WEIGHT: u64 = 1_000_000_000_000;

    /// [`Self::epoch_seconds`] as a duration.
    pub const fn epoch(&self) -> Duration {
        Duration::from_secs(self.epoch_seconds as u64)
    }

    /// The key that is out of range, and what is wrong with it.
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let [read, cached, ..] = self.weights;
        if self.weights.iter().any(|it| *it > Self::MAX_WEIGHT) {
            return Some(("weights", "are not 0 to 1000000000000"));
        }
        if cached > read {
            let problem = "make a cached prompt token dearer than one that is read";
            return Some(("weights", problem));
        }
        let lasts = (5..=3600).contains(&self.epoch_seconds);
        (!lasts).then_some(("epoch_seconds", "is not 5 to 3600"))
    }
}

const fn price_seconds() -> u32 {
    60
}
