//! Intel TDX: a TD's quote, Intel's certificates and collateral that bear on it, and the steps that verify them. All offline.
//!
//! Trusts nothing but Intel's root. The certificates that come with a quote or with collateral are candidates until that root
//! is shown to stand behind them. The statuses are Intel's; which of them are good enough is the policy's.

pub mod attributes;
mod certificate;
mod collateral;
mod crl;
mod document;
pub mod event_log;
mod genuine;
pub mod needs;
mod pck;
pub mod policy;
pub mod quote;
pub mod report;
mod roots;
pub(crate) mod status;
pub(crate) mod steps;
mod tcb;
mod td;
pub(crate) mod wanted;

pub use collateral::{IntelCollateral, MAX_COLLATERAL_SIZE, split_answer};
pub use event_log::EventLog;
pub use genuine::Genuine;
pub use pck::{Configuration, Platform};
pub use policy::TdxPolicy;
pub use quote::Quote;
pub use roots::IntelRoots;
pub use status::Status;
pub use tcb::Lag;
pub use td::Td;

pub(crate) use genuine::authenticate;
pub(crate) use steps::Grounds;
