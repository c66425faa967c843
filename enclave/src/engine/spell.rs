//! How long a call has had its turn: the time of a slot that it takes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long one call has had its turn. A clone is another look at the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spell(Arc<Mutex<State>>);

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Waits,
    Since(Instant),
    Took(Duration),
}

/// The turn, until this is dropped.
pub(crate) struct Taking(Spell);

impl Spell {
    /// So far.
    pub(crate) fn so_far(&self) -> Duration {
        match *self.state() {
            State::Waits => Duration::ZERO,
            State::Since(began) => began.elapsed(),
            State::Took(took) => took,
        }
    }

    /// The turn has come.
    pub(crate) fn begin(&self) -> Taking {
        *self.state() = State::Since(Instant::now());
        Taking(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let took = self.0.so_far();
        *self.0.state() = State::Took(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_turn_counts() {
        let spell = Spell::default();
        assert_eq!(spell.so_far(), Duration::ZERO);
        let taking = spell.begin();
        std::thread::sleep(Duration::from_millis(5));
        assert!(spell.so_far() >= Duration::from_millis(5));
        drop(taking);
        let took = spell.so_far();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(spell.so_far(), took);
    }
}
