//! How evidence is encoded: readers and writers that know bytes and texts, but not what they mean.

pub mod base64;
pub mod cbor;
pub(crate) mod der;
pub mod digest;
pub mod pem;
pub(crate) mod reader;
pub mod utc;
pub(crate) mod x509;
