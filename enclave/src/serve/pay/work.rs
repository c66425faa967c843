//! What a paid job takes of a model: the time of its slots.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::engine::Spell;

/// One paid job's work.
#[derive(Debug, Default)]
pub(in crate::serve) struct Work {
    /// The turns of its calls.
    spells: Mutex<Vec<Spell>>,
    /// Milliseconds that were counted already.
    counted: AtomicU64,
    /// Whether it owes something.
    owes: AtomicBool,
}

impl Work {
    /// For one more call of the job.
    pub(in crate::serve) fn spell(&self) -> Spell {
        let spell = Spell::default();
        let mut spells = self.spells.lock().unwrap_or_else(PoisonError::into_inner);
        spells.push(spell.clone());
        spell
    }

    /// From now on it owes something.
    pub(in crate::serve) fn owes(&self) {
        self.owes.store(true, Ordering::Relaxed);
    }

    /// It has ended: what is left of its calls is not its affair.
    pub(super) fn over(&self) {
        self.owes.store(false, Ordering::Relaxed);
    }

    /// Milliseconds since this was last asked, of a job that owes something.
    pub(super) fn fresh(&self) -> u64 {
        if !self.owes.load(Ordering::Relaxed) {
            return 0;
        }
        let spells = self.spells.lock().unwrap_or_else(PoisonError::into_inner);
        let took: u128 = spells.iter().map(|spell| spell.so_far().as_millis()).sum();
        let took = u64::try_from(took).unwrap_or(u64::MAX);
        took.saturating_sub(self.counted.swap(took, Ordering::Relaxed))
    }
}
