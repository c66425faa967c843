//! Why a job is not begun.

/// The number was used before on this tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this job's number was used before; draw a new one for each job")]
pub struct JobRepeated;

/// All tabs are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all tabs are in use; try again later")]
pub struct TabsFull;

/// Why a paid job is not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Its number was used before.
    #[error(transparent)]
    Repeated(#[from] JobRepeated),
    /// There is no room for its tab.
    #[error(transparent)]
    Full(#[from] TabsFull),
    /// More may come to be owed than the cap or the lane allows.
    #[error(
        "with this job the tab may come to owe {wanted} nano; its cap is {cap}, and its lane lets it go to {ceiling}"
    )]
    TooLow {
        /// The cap that would do.
        wanted: u64,
        /// The tab's cap.
        cap: u64,
        /// How far the lane lets this tab go now.
        ceiling: u64,
    },
    /// Too many jobs were given up before they owed anything.
    #[error("too many jobs of this tab were given up; try again in {after} milliseconds")]
    GivenUp {
        /// Milliseconds.
        after: u64,
    },
}
