//! What a publisher does: keys with passphrases, root and key statements, and manifests that are signed anew.
//!
//! Knows the time only as an argument. What comes out is what [`chrysalis_attestation::release`] takes, and is held against it before
//! it is written.

mod error;
mod key;
mod passphrase;
mod publication;
mod renew;

pub use error::Error;
pub use key::{SigningKey, public_pem, read_public};
pub use passphrase::{MINIMUM, Passphrase};
pub use publication::{Publication, Span};
pub use renew::{Renewal, renew};
