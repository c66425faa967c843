//! How a command came out.

/// How a command came out, where nothing kept it from coming out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Trusted, or done.
    Yes,
    /// A verdict was reached and it is no.
    No,
}

/// Yes, if this holds.
impl From<bool> for Outcome {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}
