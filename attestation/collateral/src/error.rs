//! Why an object could not be fetched, or a store could not be used. Every error has a hint on what to do next.

use std::{io, path::PathBuf, time::Duration};

use chrysalis_attestation::{Rejection, Time};

/// Why an object could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// 404. Asking again does not help.
    #[error("{url} does not have it")]
    NotKnown {
        /// Where.
        url: String,
    },
    /// Any other status where asking again does not help.
    #[error("{url} answers {status}")]
    Refused {
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The service redirects to a place that the caller did not choose.
    #[error("{url} redirects elsewhere")]
    Redirected {
        /// Where.
        url: String,
    },
    /// The service asks for a longer pause than there is time for.
    #[error("{url} is busy and asks for a pause of {} s", wait.as_secs())]
    Busy {
        /// Where.
        url: String,
        /// The pause that it asks for.
        wait: Duration,
    },
    /// Every attempt failed; this is how the last one did.
    #[error("{url} failed {attempts} time(s): {what}")]
    Unavailable {
        /// Where.
        url: String,
        /// How many.
        attempts: u32,
        /// The last failure.
        what: Trouble,
    },
    /// The time for everything ran out before this was fetched.
    #[error("{url} was not asked: the time for everything has run out")]
    Deadline {
        /// Where.
        url: String,
    },
    /// The answer is larger than any vendor's object.
    #[error("{url} sent more than {limit} bytes")]
    TooLarge {
        /// Where.
        url: String,
        /// The most that is read.
        limit: u64,
    },
    /// The answer does not have the service's form.
    #[error("{url} sent an unexpected answer: {what}")]
    Form {
        /// Where.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The answer is about a different object.
    #[error("{url} sent {found:?}, which was not asked for")]
    WrongId {
        /// Where.
        url: String,
        /// What it is about.
        found: String,
    },
    /// The object does not descend from an accepted root, is not the wanted one, or is not fresh.
    #[error("{url} sent an object that is refused: {rejection} ({})", rejection.reason().code)]
    Unfit {
        /// Where.
        url: String,
        /// The rejection that a verifier would report.
        rejection: Box<Rejection>,
    },
    /// The store has a newer one. An old list or old TCB info may hide what has been revoked since.
    #[error("{url} sent one made at {found}, older than the stored one made at {stored}")]
    Older {
        /// Where.
        url: String,
        /// When the stored one was made.
        stored: Time,
        /// When this one was made.
        found: Time,
    },
    /// The system provides no random numbers.
    #[error("the system provides no random numbers")]
    NoRandomness,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How one attempt failed, where another may succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No connection, no name resolution, or no TLS.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("it did not answer in time")]
    Stalled,
    /// The connection ended before the answer did.
    #[error("the answer was cut off")]
    Truncated,
    /// A temporary status.
    #[error("it answered with status {0}")]
    Status(u16),
}

impl FetchError {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotKnown { .. } => "not_known",
            Self::Refused { .. } => "refused",
            Self::Redirected { .. } => "redirected",
            Self::Busy { .. } => "busy",
            Self::Unavailable { .. } => "unavailable",
            Self::Deadline { .. } => "deadline",
            Self::TooLarge { .. } => "too_large",
            Self::Form { .. } => "form",
            Self::WrongId { .. } => "wrong_id",
            Self::Unfit { .. } => "unfit",
            Self::Older { .. } => "older",
            Self::NoRandomness => "no_randomness",
            Self::Store(error) => error.code(),
        }
    }

    /// Whether the vendor answered, and the answer is no.
    pub fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::NotKnown { .. }
                | Self::Refused { .. }
                | Self::WrongId { .. }
                | Self::Unfit { .. }
                | Self::Older { .. }
        )
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotKnown { .. } => {
                "check whether the evidence was changed or the machine's firmware is a preview: the vendor knows no such chip, \
                 platform or version"
            }
            Self::Refused { .. } | Self::Form { .. } | Self::TooLarge { .. } => {
                "open the address in a browser: something in between may be answering instead of the vendor"
            }
            Self::Redirected { .. } => "if the vendor moved, name the new address with --mirror",
            Self::Busy { .. } => "run this again after that time; what was fetched is kept",
            Self::Unavailable { .. } | Self::Deadline { .. } => {
                "check the network, or name a cache with --mirror; what was fetched is kept"
            }
            Self::WrongId { .. } => "ask the vendor itself: the mirror mixes objects up",
            Self::Unfit { rejection, .. } => rejection.reason().hint,
            Self::Older { .. } => {
                "ask the vendor itself; if it returns the old one too, remove the stored file and its line in store.json; until \
                 then the stored one is kept"
            }
            Self::NoRandomness => "check /dev/urandom",
            Self::Store(error) => error.hint(),
        }
    }
}

/// Why a store could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder or a file in it.
    #[error("{doing} {}: {source}", path.display())]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The folder has no index.
    #[error("{} is not a store: it has no store.json", .0.display())]
    NoStore(PathBuf),
    /// The index cannot be read.
    #[error("the index {} is damaged: {what}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An object's file is not the one that was stored.
    #[error("{} is not the file that was kept", .0.display())]
    Damaged(PathBuf),
    /// Something that is needed to verify a quote is missing.
    #[error("the store does not have {}", .0.join(", "))]
    Lacks(Vec<String>),
    /// A name that must not be used for a file.
    #[error("{0:?} cannot be the name of a file")]
    Name(String),
    /// The evidence for which objects are looked up cannot be read.
    #[error("{rejection} ({})", rejection.reason().code)]
    Evidence {
        /// The rejection that a verifier would report.
        rejection: Box<Rejection>,
    },
}

impl StoreError {
    pub(crate) fn disk<'p>(
        doing: &'static str,
        path: &'p std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self + 'p {
        move |source| Self::Disk {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "disk",
            Self::NoStore(_) => "no_store",
            Self::Index { .. } => "index_damaged",
            Self::Damaged(_) => "damaged",
            Self::Lacks(_) => "lacks",
            Self::Name(_) => "name",
            Self::Evidence { rejection } => rejection.reason().code,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "choose a writable folder, or make room",
            Self::NoStore(_) => "run `chrysalis fetch EVIDENCE --into DIR` to make one",
            Self::Index { .. } => {
                "remove the folder and fetch again: everything in it can be fetched again"
            }
            Self::Damaged(_) | Self::Lacks(_) => {
                "run `chrysalis fetch EVIDENCE --into DIR` to fetch what is missing or damaged"
            }
            Self::Name(_) => "do not trust the evidence: it was changed",
            Self::Evidence { rejection } => rejection.reason().hint,
        }
    }
}

impl From<Rejection> for StoreError {
    fn from(rejection: Rejection) -> Self {
        Self::Evidence {
            rejection: Box::new(rejection),
        }
    }
}
