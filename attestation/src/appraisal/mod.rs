//! The walk from bytes to trust, and the same walk for a report, a quote or GPUs' answers by themselves ([`alone`]).

pub mod alone;
pub(crate) mod appraise;
pub(crate) mod cpu;
pub(crate) mod epoch;
pub(crate) mod gpus;
mod models;
pub(crate) mod platform;
#[cfg(test)]
mod remembered;
mod stages;
#[cfg(test)]
mod tests;
pub(crate) mod told;
mod unbound;
mod walk;

pub use self::{
    stages::{Authentic, Bound, Genuine, Peer, Trusted, Unverified},
    unbound::Unbound,
    walk::{Found, Question},
};
