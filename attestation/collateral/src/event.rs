//! What a fetch tells while it goes on.

use std::time::Duration;

use crate::{error::Trouble, object::Object};

/// Progress, for people who are waiting.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An object is asked for.
    Asking {
        /// Which.
        object: &'a Object,
        /// Where.
        url: &'a str,
    },
    /// A pause, because a host asked for it or an attempt failed.
    Waiting {
        /// For whom.
        host: &'a str,
        /// How long.
        pause: Duration,
        /// Why.
        why: &'a Trouble,
    },
}
