//! Every check that was made, in order, and how it came out.

/// Every check so far.
#[derive(Debug, Clone, Default)]
pub struct Transcript(());
