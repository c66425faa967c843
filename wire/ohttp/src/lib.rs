//! Oblivious HTTP: a relay sees who asks, a gateway sees what is asked, and neither sees both.
//!
//! RFC 9458, and draft-ietf-ohai-chunked-ohttp for answers that come in pieces. What is inside is binary HTTP (RFC 9292). There is no
//! input or output here, and no clock: bytes in, bytes out. docs/spec/relay.md says what is chosen where the standards leave a choice.

#![forbid(unsafe_code)]

mod answer;
mod chunks;
#[cfg(feature = "client")]
mod configuration;
mod gateway;
#[cfg(feature = "client")]
mod incoming;
mod key;
#[cfg(feature = "client")]
mod opener;
mod request;
#[cfg(feature = "client")]
mod sender;
#[cfg(test)]
#[cfg(feature = "client")]
mod tests;

pub use self::{
    answer::{AnswerHead, AnswerReader, END, Part, content, head},
    chunks::{MAX_CHUNK, Sealer},
    gateway::{Answering, GatewayKeys, Opened, SEED},
    key::NONCE,
    request::{MIN_PADDED, Request},
};
#[cfg(feature = "client")]
pub use self::{
    configuration::Configuration,
    incoming::IncomingAnswer,
    opener::{Awaiting, Opener},
    sender::encapsulate,
};

/// The media type of key configurations.
pub const KEYS_TYPE: &str = "application/ohttp-keys";
/// Bytes in front of an encapsulated request: key identifier, KEM, KDF and AEAD.
const HEADER: usize = 7;
/// HKDF-SHA256 in IANA's registry of HPKE's.
const KDF: u16 = 1;
/// ChaCha20-Poly1305 in IANA's registry of HPKE's.
const AEAD: u16 = 3;
/// Bytes that an AEAD adds.
const TAG: usize = 16;

/// How a message is encapsulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In one piece: RFC 9458.
    Whole,
    /// In chunks.
    Chunked,
}

impl Form {
    /// The form of a request with this media type.
    pub fn of_request(kind: &str) -> Option<Self> {
        [Self::Whole, Self::Chunked]
            .into_iter()
            .find(|form| form.request_type() == kind)
    }

    /// The media type of requests.
    pub fn request_type(self) -> &'static str {
        match self {
            Self::Whole => "message/ohttp-req",
            Self::Chunked => "message/ohttp-chunked-req",
        }
    }

    /// The media type of answers.
    pub fn answer_type(self) -> &'static str {
        match self {
            Self::Whole => "message/ohttp-res",
            Self::Chunked => "message/ohttp-chunked-res",
        }
    }

    /// What HPKE's `info` begins with.
    fn request_label(self) -> &'static [u8] {
        match self {
            Self::Whole => b"message/bhttp request",
            Self::Chunked => b"message/bhttp chunked request",
        }
    }

    /// What the answer's secret is exported under.
    fn answer_label(self) -> &'static [u8] {
        match self {
            Self::Whole => b"message/bhttp response",
            Self::Chunked => b"message/bhttp chunked response",
        }
    }
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key configurations are none.
    #[error("the key configurations are malformed")]
    Keys,
    /// None of the key configurations has X-Wing or X25519 with HKDF-SHA256 and ChaCha20-Poly1305.
    #[error("no key configuration has a suite that is known here")]
    Suite,
    /// They are not those that evidence names.
    #[error("the key configurations are not those that the evidence covers")]
    Unproved,
    /// The best of them is X25519.
    #[error("no key configuration has X-Wing")]
    Classical,
    /// The request is for another key.
    #[error("the request is for a key that is not in use")]
    UnknownKey,
    /// It ends before it is whole.
    #[error("the message is cut off")]
    Truncated,
    /// The last chunk is not there: there may have been more.
    #[error("the final chunk is missing")]
    FinalChunkMissing,
    /// A chunk has more than [`MAX_CHUNK`] bytes.
    #[error("a chunk is too long")]
    ChunkTooLong,
    /// It was altered, is for another key, or its chunks come in another order.
    #[error("the message does not decrypt: it was altered, or its chunks were reordered")]
    Undecryptable,
    /// What is inside is not binary HTTP.
    #[error("the message inside is not binary HTTP: {0}")]
    Inside(&'static str),
    /// There are no more nonces, or the library refuses to work.
    #[error("the message cannot be encrypted")]
    Unencryptable,
}
