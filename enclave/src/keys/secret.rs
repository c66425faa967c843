//! A value whose bytes can be overwritten although its type does not know how.
//!
//! ring keeps a private key within its key pair and never wipes it. So the pair lies in a box of bytes that is only lent as a
//! pair, never given away, and is zeros after [`Secret::wipe`].

#![allow(unsafe_code)]

use std::{
    mem::{MaybeUninit, needs_drop},
    sync::{PoisonError, RwLock},
};

use zeroize::Zeroize;

/// A value, until it is wiped. Never moves.
pub(super) struct Secret<T>(RwLock<Option<Box<MaybeUninit<T>>>>);

impl<T> Secret<T> {
    /// The value's way into the box leads over the stack: the caller wipes that.
    pub(super) fn new(value: T) -> Self {
        // What needs no drop owns nothing elsewhere: all its bytes are in the box. Nor is anything lost if it is never dropped.
        const { assert!(!needs_drop::<T>()) };
        Self(RwLock::new(Some(Box::new(MaybeUninit::new(value)))))
    }

    /// What `with` makes of the value; `None` after it was wiped.
    pub(super) fn lend<R>(&self, with: impl FnOnce(&T) -> R) -> Option<R> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.as_deref().map(|value| {
            // SAFETY: `new` initialized it, and `wipe` takes it out of the option before it writes a byte, which it does
            // only while nobody holds this lock.
            with(unsafe { value.assume_init_ref() })
        })
    }

    /// Where it lies, for a test that reads this process's memory.
    #[cfg(test)]
    pub(super) fn place(&self) -> Option<usize> {
        self.lend(|value| std::ptr::from_ref(value) as usize)
    }

    /// Overwrites the value with zeros, once nobody is using it.
    pub(super) fn wipe(&self) {
        let held = self
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut value) = held {
            value.zeroize();
        }
    }
}

/// Whoever drops a secret has no more use for it.
impl<T> Drop for Secret<T> {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_lent_until_it_is_wiped() {
        let secret = Secret::new([7_u8; 4]);
        assert_eq!(secret.lend(|value| *value), Some([7; 4]));
        secret.wipe();
        assert_eq!(secret.lend(|value| *value), None);
        secret.wipe();
    }
}
