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
mod upload;

pub use clock::Clock;
pub use desk::{Admitted, Desk, Directory, MAX_ON_CHIP};
pub use evidence::{Bring, Judge};
pub use ledger::{Ledger, Payouts, page_of, payouts::Senders};
pub use publish::{Origin, Publisher, class::Cuts};
pub use refused::Refused;
pub use upload::{MAX_UPLOAD, Upload};
