//! How evidence is written down: readers and writers that know bytes and texts, and nothing of what they say.

pub mod base64;
pub(crate) mod cbor;
pub(crate) mod der;
pub mod digest;
pub mod pem;
pub(crate) mod reader;
pub mod utc;
pub(crate) mod x509;
