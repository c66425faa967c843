//! What the relay counts.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// One number that is counted.
#[derive(Debug, Default)]
pub(crate) struct Counter(pub(crate) AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// For what falls as well.
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the relay counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Connections being relayed.
    pub(crate) open: Counter,
    /// Connections ever relayed.
    pub(crate) total: Counter,
    /// Connections closed because there was no room, or because their client had too many.
    pub(crate) refused: Counter,
    /// Connections that ended in an error.
    pub(crate) broken: Counter,
    /// Bytes from clients.
    pub(crate) to_guest: Counter,
    /// Bytes to clients.
    pub(crate) from_guest: Counter,
}

impl Counters {
    /// Counts a connection as open until the value is dropped.
    pub(crate) fn open_one(self: &Arc<Self>) -> OpenOne {
        self.open.add(1);
        self.total.add(1);
        OpenOne(Arc::clone(self))
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct OpenOne(Arc<Counters>);

impl Drop for OpenOne {
    fn drop(&mut self) {
        self.0.open.0.fetch_sub(1, Ordering::Relaxed);
    }
}
