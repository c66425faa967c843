//! Money: who may pay, how far, and what it costs (docs/spec/pay.md). The chain is the host's affair.

mod lanes;
mod prices;
mod refusals;
mod work;

use std::{sync::Arc, time::Duration};

use chrysalis_wire::configuration::{Configuration, Payment};

use self::lanes::Lanes;
pub(super) use self::{
    lanes::Lane,
    prices::{Offer, Outcome, Prices},
    work::Work,
};
use crate::{engine::Engines, failure::Failure, host::Host};

/// What it takes to be paid.
pub(super) struct Till {
    /// Whether who does not pay is not answered.
    pub(super) required: bool,
    pub(super) lanes: Lanes,
    pub(super) prices: Prices,
}

impl Till {
    /// As the configuration says, at first with the floor that the host names; none without payment. `epoch` is how long a price
    /// lasts, if not as long as the configuration says.
    pub(super) async fn open(
        configuration: &Configuration,
        engines: &Engines,
        host: &Arc<Host>,
        epoch: Option<Duration>,
    ) -> Result<Option<Arc<Self>>, Failure> {
        let Some(price) = &configuration.price else {
            return Ok(None);
        };
        let floor = host.terms().await?;
        let epoch = epoch.unwrap_or_else(|| price.epoch());
        Ok(Some(Arc::new(Self {
            required: configuration.serving.payment == Payment::Required,
            lanes: Lanes::new(host.clone()),
            prices: Prices::new(engines, price, epoch, floor),
        })))
    }
}
