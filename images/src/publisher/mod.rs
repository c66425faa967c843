//! The publisher's verbs: keys, what the root says about them, releases and the log.

pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod release;
mod signing;
