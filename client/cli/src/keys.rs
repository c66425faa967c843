//! Public keys of those who sign, as the command line names them.

use std::path::Path;

use chrysalis_attestation::{
    Rejection,
    release::{Development, KeyId, PublicKey},
};
use chrysalis_image::publish;

/// Reads a public key; the development key only where it is named.
pub(crate) fn read_public(
    path: &Path,
    development: Development,
) -> anyhow::Result<Result<PublicKey, Rejection>> {
    match publish::read_public(path, development) {
        Ok(key) => Ok(Ok(key)),
        Err(publish::Error::Refused { rejection, .. })
            if *rejection == Rejection::DevelopmentKey =>
        {
            Ok(Err(Rejection::DevelopmentKey))
        }
        Err(error) => Err(error.into()),
    }
}

/// A key's name, as far as people read it.
pub(crate) fn short(id: &KeyId) -> String {
    id.to_string().chars().take(16).chain(['…']).collect()
}
