//! Why an object could not be had, or a store could not be used. Every message ends with what to do next.

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
    /// Any other status that asking again does not change.
    #[error("{url} answers {status}")]
    Refused {
        /// Where.
        url: String,
        /// HTTP's.
        status: u16,
    },
    /// The service wants to send us elsewhere, and nobody here chose that place.
    #[error("{url} redirects elsewhere")]
    Redirected {
        /// Where.
        url: String,
    },
    /// The service asks for more patience than there is.
    #[error("{url} is busy and wants to be asked again in {} s", wait.as_secs())]
    Busy {
        /// Where.
        url: String,
        /// What it wants.
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
    /// The time for everything was over before this was there.
    #[error("{url} was not asked: the time for everything is over")]
    Deadline {
        /// Where.
        url: String,
    },
    /// The answer has more bytes than any object of a vendor.
    #[error("{url} answers more than {limit} bytes")]
    TooLarge {
        /// Where.
        url: String,
        /// The most that is read.
        limit: u64,
    },
    /// The answer is of another form than the service's.
    #[error("{url} answers something else: {what}")]
    Form {
        /// Where.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The answer is about another object.
    #[error("{url} answers with {found:?}, which was not asked for")]
    WrongId {
        /// Where.
        url: String,
        /// What it is about.
        found: String,
    },
    /// The object is not what the accepted roots stand behind, not the wanted one, or not fresh.
    #[error("{url} answers with an object that is refused: {rejection} ({})", rejection.reason().code)]
    Unfit {
        /// Where.
        url: String,
        /// As a verifier would say.
        rejection: Box<Rejection>,
    },
    /// The store has a newer one. An old list or old TCB info may hide what was since revoked.
    #[error("{url} answers with one made {found}, older than the stored one of {stored}")]
    Older {
        /// Where.
        url: String,
        /// When the stored one was made.
        stored: Time,
        /// When this one was made.
        found: Time,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How one attempt failed, where another may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No connection, no name, no TLS.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("it did not answer in time")]
    Stalled,
    /// The connection ended before the answer did.
    #[error("the answer was cut off")]
    Truncated,
    /// A status that may pass.
    #[error("it answers {0}")]
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

    /// Whether the vendor has answered, and the answer is no.
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
                "the vendor knows no such chip, platform or version: was the evidence changed, or is the machine's firmware \
                 a preview?"
            }
            Self::Refused { .. } | Self::Form { .. } | Self::TooLarge { .. } => {
                "something in between may answer in the vendor's place: look at the address in a browser"
            }
            Self::Redirected { .. } => "if the vendor moved, name the new address with --mirror",
            Self::Busy { .. } => "run this again then; what was fetched is kept",
            Self::Unavailable { .. } | Self::Deadline { .. } => {
                "check the network, or name a cache with --mirror; what was fetched is kept"
            }
            Self::WrongId { .. } => "the mirror mixes objects up: ask the vendor itself",
            Self::Unfit { rejection, .. } => rejection.reason().hint,
            Self::Older { .. } => {
                "the stored one was kept; ask the vendor itself, and if that gives the old one, remove the stored file and its \
                 line in store.json"
            }
            Self::NoRandomness => "look at /dev/urandom",
            Self::Store(error) => error.hint(),
        }
    }
}

/// Why a store could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder or a file of it.
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
    #[error("{} is no store: it has no store.json", .0.display())]
    NoStore(PathBuf),
    /// The index cannot be read.
    #[error("the index {} is damaged: {what}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An object's file is not the one that was kept.
    #[error("{} is not the file that was kept", .0.display())]
    Damaged(PathBuf),
    /// Something that a quote cannot be verified without is not there.
    #[error("the store lacks {}", .0.join(", "))]
    Lacks(Vec<String>),
    /// A name that must not become a file's.
    #[error("{0:?} cannot be the name of a file")]
    Name(String),
    /// The evidence that objects are looked up by cannot be read.
    #[error("{rejection} ({})", rejection.reason().code)]
    Evidence {
        /// As a verifier would say.
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
            Self::Disk { .. } => "choose a folder that can be written, or make room",
            Self::NoStore(_) => "`chrysalis fetch EVIDENCE --into DIR` makes one",
            Self::Index { .. } => {
                "remove the folder and fetch again: everything in it can be had again"
            }
            Self::Damaged(_) | Self::Lacks(_) => {
                "`chrysalis fetch EVIDENCE --into DIR` fetches what is missing or damaged"
            }
            Self::Name(_) => "the evidence was changed: do not trust it",
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
