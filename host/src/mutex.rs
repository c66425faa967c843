//! Mutexes whose values stay sound whatever panics.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The value, once no other task holds it.
pub(crate) fn held<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
