//! Why a publisher cannot make or sign something. Each ends with what to do next.

use std::{io, path::PathBuf};

use chrysalis_attestation::{Rejection, Time};

/// Why nothing was made or signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error(transparent)]
    Io(Box<crate::Error>),
    /// A file that would be lost.
    #[error("{} is there already\nhint: name another file, or move this one to where you keep old ones", .0.display())]
    Exists(PathBuf),
    /// No private key.
    #[error(
        "{} is no key that signs here\nhint: `chrysalis-image key release` makes one; of openssl's, `openssl genpkey -algorithm ed25519` and P-256 in PKCS #8 work",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The wrong passphrase, or a damaged file: the two look alike.
    #[error("{} does not open\nhint: check the passphrase; if it is right, the file is damaged, so take your copy of it", .0.display())]
    Locked(PathBuf),
    /// A passphrase that protects little.
    #[error(
        "the passphrase has fewer than {minimum} characters\nhint: six words drawn at random are easy to write down and hard to guess"
    )]
    Weak {
        /// How many it must have.
        minimum: usize,
    },
    /// The two that were typed differ.
    #[error("the two passphrases differ\nhint: start again")]
    Mistyped,
    /// No terminal to ask.
    #[error("there is no terminal to ask for the passphrase of {}: {reason}\nhint: put it in a file that only you can read, and name that with --passphrase-file", path.display())]
    NoTerminal {
        /// The key.
        path: PathBuf,
        /// The operating system's reason.
        reason: io::Error,
    },
    /// No random numbers, or an algorithm that the library refuses.
    #[error(
        "cannot make the key: {0}\nhint: try again; if it stays so, this machine has no random numbers"
    )]
    Unmade(&'static str),
    /// What a verifier would refuse.
    #[error("{}: {rejection}\nhint: {}", path.display(), rejection.hint())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        rejection: Box<Rejection>,
    },
    /// A descriptor that its readers would refuse.
    #[error("{}: {rejection}\nhint: {}", path.display(), rejection.hint())]
    Network {
        /// The file.
        path: PathBuf,
        /// Why.
        rejection: Box<chrysalis_network::Rejection>,
    },
    /// An endorsement that would end after its release.
    #[error("{} ends at {until}, before the endorsement would\nhint: end it by then, or sign the release anew: `chrysalis-image release renew`", path.display())]
    Outlives {
        /// The manifest.
        path: PathBuf,
        /// When the release ends.
        until: Time,
    },
    /// The development key, used without its name.
    #[error("{} is the development key: anyone can sign with it\nhint: sign with a key of your own; to try things out, name this one with --development-root", .0.display())]
    Development(PathBuf),
    /// A folder in which nothing is published yet.
    #[error("{} has no root statement\nhint: `chrysalis-image key root --project NAME --key root.pem --expires DATE --out {}` makes the first one", .0.display(), .0.display())]
    NoRoot(PathBuf),
    /// A root statement is there already.
    #[error("{} has a root statement already\nhint: `chrysalis-image key root --after OLD.pem` makes the next one", .0.display())]
    Rooted(PathBuf),
    /// Another key than the newest root's.
    #[error("{} is not the key of the newest root statement, version {version}\nhint: name the file of that root key", path.display())]
    NotTheRoot {
        /// The key's file.
        path: PathBuf,
        /// The newest version.
        version: u64,
    },
    /// A name that no project can have.
    #[error(
        "{0:?} is no name that a project has\nhint: use up to 64 lower-case letters, digits, `.`, `-` and `/`, such as releases.example"
    )]
    Name(String),
    /// The name of this repository's own releases.
    #[error(
        "the project `chrysalis` stands under the development root, with which anyone can sign\nhint: name your project after yourself, such as releases.example"
    )]
    Taken,
    /// An epoch that clients would refuse.
    #[error(
        "epoch {found} is not above the old one, {before}\nhint: give a higher --epoch: clients refuse to go back"
    )]
    Epoch {
        /// The one that was asked for.
        found: u64,
        /// The one that it has.
        before: u64,
    },
    /// A file or folder that nothing can be made of.
    #[error("{} {why}", path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// What it is, or has, and what to do.
        why: String,
    },
    /// An image that cannot be measured.
    #[error(transparent)]
    Unmeasured(#[from] chrysalis_measure::MeasureError),
    /// A key that no statement lists.
    #[error("no key statement in {} lists key {key}\nhint: revoke a key that was vouched for; check the file", path.display())]
    Unlisted {
        /// The folder.
        path: PathBuf,
        /// The key's name.
        key: String,
    },
}

impl Error {
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let refused = crate::Error::io(action, path);
        move |reason| Self::Io(Box::new(refused(reason)))
    }

    pub(super) fn unfit(path: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self::Unfit {
            path: path.into(),
            why: why.into(),
        }
    }

    pub(super) fn refused(path: impl Into<PathBuf>) -> impl FnOnce(Rejection) -> Self {
        let path = path.into();
        move |rejection| Self::Refused {
            path,
            rejection: Box::new(rejection),
        }
    }
}
