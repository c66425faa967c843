//! What can be wrong with a directory. It is named, and the others go on.

use std::time::Duration;

use chrysalis_attestation::{Rejection as LogRejection, Time};
use chrysalis_network::Rejection;

/// Why a directory is of no use now.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No connection, or it broke.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It takes too long.
    #[error("it did not answer within {} s", .0.as_secs())]
    Stalled(Duration),
    /// It sends more than the file can have.
    #[error("it sends more than the {most} bytes that the file may have")]
    TooLarge {
        /// The file's limit.
        most: usize,
    },
    /// It has no such file.
    #[error("it has no {0}")]
    Missing(String),
    /// It answers with something else.
    #[error("it does not answer as a directory: {0}")]
    NotHttp(String),
    /// What it serves was examined and refused.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// A file of another network or class.
    #[error("it serves a file of another {0}")]
    Another(&'static str),
    /// It serves old news.
    #[error("what it says is of {at}, and it is {now}")]
    Stale {
        /// When it says it was.
        at: Time,
        /// By this machine's clock.
        now: Time,
    },
    /// It says that it has less than it had.
    #[error("it is at epoch {found}, and was at epoch {seen}")]
    RolledBack {
        /// Its epoch.
        found: u64,
        /// The newest that was seen.
        seen: u64,
    },
    /// Its log is not what it was.
    #[error("its log is refused: {0}")]
    Log(LogRejection),
}

impl Trouble {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "directory_unreachable",
            Self::Stalled(_) => "directory_stalled",
            Self::TooLarge { .. } => "directory_too_large",
            Self::Missing(_) => "directory_file_missing",
            Self::NotHttp(_) => "directory_not_http",
            Self::Refused(rejection) => rejection.code(),
            Self::Another(_) => "directory_another",
            Self::Stale { .. } => "directory_stale",
            Self::RolledBack { .. } => "directory_rolled_back",
            Self::Log(rejection) => rejection.code(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Stalled(_) => {
                "check this machine's network; the network's other directories are asked as well"
            }
            Self::Stale { .. } => {
                "set this machine's clock; if it is right, tell whoever runs the directory"
            }
            Self::Log(_) => {
                "keep what it served, and tell the network's other readers: a directory must not rewrite its log"
            }
            _ => {
                "tell whoever runs the directory; the network's other directories are asked as well"
            }
        }
    }
}
