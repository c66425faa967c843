//! The publisher's verbs: keys, what the root says about them, releases, the log, and networks.

pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod network;
pub(crate) mod release;
mod signing;
