//! Public keys of those who sign, as the command line names them.

use std::path::Path;

use chrysalis_attestation::{
    Rejection,
    release::{ANYONE_CAN_SIGN, Development, KeyId, PublicKey},
};
use chrysalis_image::publish;

/// Reads a public key; the development key, where it is not named, is refused with the [`Rejection`] as the error.
pub(crate) fn read_public(path: &Path, development: Development) -> anyhow::Result<PublicKey> {
    match publish::read_public(path, development) {
        Err(publish::Error::Refused { rejection, .. })
            if *rejection == Rejection::DevelopmentKey =>
        {
            Err(Rejection::DevelopmentKey.into())
        }
        read => Ok(read?),
    }
}

/// The line that warns of the development key, where it was used.
pub(crate) fn warning(development: bool) -> String {
    if development {
        format!("warning {ANYONE_CAN_SIGN}\n")
    } else {
        String::new()
    }
}

/// A key's name, as far as people read it.
pub(crate) fn short(id: &KeyId) -> String {
    id.to_string().chars().take(16).chain(['…']).collect()
}
