//! What a publisher does: keys with passphrases, root and key statements, manifests of images, and the log that has all of them.
//!
//! Knows the time only as an argument. Whatever is signed here is checked by [`chrysalis_attestation::release`], as clients check it,
//! before it is written.

mod describe;
mod endorse;
mod error;
mod files;
mod key;
mod levels;
mod log;
mod network;
mod passphrase;
mod publication;
mod release;
mod tree;

pub use describe::{Described, Shapes, Wanted, describe};
pub use endorse::endorse;
pub use error::Error;
pub use files::write_whole;
pub use key::{SigningKey, development, public_pem, read_public};
pub use levels::{Levels, floor, read_levels};
pub use log::Log;
pub use network::{Signatures, show as show_network, sign as sign_network};
pub use passphrase::{MINIMUM, Passphrase};
pub use publication::{PROJECT, Publication, Span};
pub use release::{Making, Renewal, make, renew};
pub use tree::Tree;
