//! Every check that was made, in order, and its outcome.

mod checks;
mod expect;
mod inspection;
mod record;

pub use self::{
    expect::Expect,
    inspection::Patience,
    record::{Check, NO_POLICY, Outcome, Refusal, SIMULATED, Transcript},
};
pub(crate) use self::{
    inspection::{Failed, Inspection, Step, ensure},
    record::{ALLOWED, LEFT_OPEN, LEFT_TO_CONFIGURATION, PINNED_BY_NOTHING},
};
