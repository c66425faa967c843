//! What a relying party wants, in TOML. Unset means strict; an unknown key is an error with the nearest name.

use crate::roots::Roots;

/// What a policy expects of one field. Nothing is unchecked by silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect<T> {
    /// One of these, at least one.
    AnyOf(Vec<T>),
    /// Not checked, for this reason, which the verdict repeats.
    Unchecked {
        /// Why.
        why: String,
    },
}

/// A relying party's policy.
#[derive(Debug, Clone)]
pub struct Policy(());

/// A policy that cannot be used.
#[derive(Debug)]
pub struct PolicyError(());

impl Policy {
    /// Parses TOML.
    pub fn parse(_text: &str) -> Result<Self, PolicyError> {
        unimplemented!()
    }

    /// The roots that this policy accepts: AMD's, and the simulated ones that it names.
    pub fn roots(&self) -> Roots {
        unimplemented!()
    }
}
