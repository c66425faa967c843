//! A market: enclaves that sell the same model, each moving its own price by the rule of chrysalis-settle; clients that choose by price and
//! ask elsewhere when one is full; and operators who try to earn more than honest ones do.
//!
//! Every job takes a slot for one epoch. Clients read prices from reports, and leave an enclave whose reports do not follow. One class of
//! model, clients without foresight, operators that do not collude: what it shows is how the rule behaves, not what anyone will earn.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "money is whole in the rule; people's wishes are fractions"
)]

mod demand;
mod figures;
mod provider;
mod run;

pub use demand::Demand;
pub use figures::Figures;
pub use provider::{Conduct, EPOCH_MS, SLOTS, UNIT};
pub use run::Market;
