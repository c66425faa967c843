//! Why there is no verdict.

/// What was handed over cannot be asked about: it is something else, too long, or not all of it. The text says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misuse(String);

impl Misuse {
    /// For this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    /// The same, with what was being done first.
    #[must_use]
    pub fn while_(self, what: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

/// Ends a function with a [`Misuse`] of this text.
macro_rules! misuse {
    ($($text:tt)*) => {
        return Err($crate::Misuse::new(format!($($text)*)))
    };
}
pub(crate) use misuse;
