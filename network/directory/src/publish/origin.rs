//! Whose files they are, and why one is not there yet.

use chrysalis_image::publish::SigningKey;

use crate::store::StoreError;

/// Whose log it is: its name, for good, and its key.
pub struct Origin {
    /// The directory's address without its scheme.
    pub name: String,
    /// Ed25519: the one that the network's descriptor names.
    pub key: SigningKey,
}

/// Why something is not published yet.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder.
    #[error("cannot write what is published: {0}")]
    Folder(#[from] std::io::Error),
    /// The log's key.
    #[error("the log's key does not sign: {0}")]
    Key(String),
}
