//! Why evidence is refused: one variant a reason.

/// Why evidence is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {}

impl Rejection {
    /// The stable code, such as `launch_digest_unknown`.
    pub fn code(&self) -> &'static str {
        unimplemented!()
    }

    /// The step of docs/spec/verification.md.
    pub fn step(&self) -> &'static str {
        unimplemented!()
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        unimplemented!()
    }
}
