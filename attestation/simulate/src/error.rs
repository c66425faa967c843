//! What can go wrong on our own disk and in our own encoding; a peer's bytes never come here.

use std::path::{Path, PathBuf};

/// Why the simulated vendor is not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// A file or folder could not be read or made.
    #[error("{action} {}: {source}; check the permissions and the space there, or choose another folder", path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A stored key or certificate is not usable.
    #[error("{} is not a usable {what}; remove its folder to have a new simulated vendor made, and name that one in your policies", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should contain.
        what: &'static str,
    },
    /// A structure could not be encoded: a time after the year 9999, or a name too long.
    #[error("encoding a simulated {what}: {source}; check the times and names that were asked for")]
    Encoding {
        /// What was being made.
        what: &'static str,
        /// What the encoder said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system gave no randomness.
    #[error(
        "no randomness for new keys: {0}; check that the getrandom system call is allowed here"
    )]
    Randomness(rsa::rand_core::Error),
    /// An RSA key could not be made or used.
    #[error("the RSA key of the simulated {who}: {source}; remove its folder and try again")]
    Rsa {
        /// Whose key.
        who: &'static str,
        /// What the library said.
        source: rsa::Error,
    },
}

impl SimulateError {
    /// Names the action and the path of an I/O error.
    pub(crate) fn disk(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Disk {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// Says whose RSA key it was.
    pub(crate) fn of_virtual_tpm(source: rsa::Error) -> Self {
        let who = "virtual TPM";
        Self::Rsa { who, source }
    }

    /// Names what was being encoded.
    pub(crate) fn encoding<E>(what: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self::Encoding {
            what,
            source: source.into(),
        }
    }
}
