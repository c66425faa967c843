//! What a policy says about one field.

/// What a policy expects of one field. Nothing is skipped silently.
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
