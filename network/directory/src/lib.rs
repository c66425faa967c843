#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod check;
mod clock;
mod desk;
mod evidence;
mod ledger;
mod publish;
mod refused;
pub mod server;
pub mod store;

pub use clock::Clock;
pub use desk::{Admitted, Desk, Directory, MAX_ON_CHIP};
pub use evidence::{Bring, Judge};
pub use ledger::{Ledger, Payouts, Senders, page_of};
pub use publish::{Origin, PublishError, Publisher, class::Cuts};
pub use refused::Refused;
