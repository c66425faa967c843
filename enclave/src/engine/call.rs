//! What an engine is asked, and what comes back.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::trust::Reason;

/// A request to an engine. Its body was made here, from values that were checked.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The path, such as `/v1/chat/completions`.
    pub(crate) path: &'static str,
    /// What to send.
    pub(crate) body: CallBody,
    /// Bytes of text that the whole answer may have. More than an answer of such a length takes on the wire ends it.
    pub(crate) most_text: usize,
}

/// The body of a request to an engine.
#[derive(Debug, Clone)]
pub(crate) enum CallBody {
    /// JSON.
    Json(Value),
    /// A form (RFC 7578).
    Multipart {
        /// What separates its parts.
        boundary: String,
        /// All of it.
        bytes: Bytes,
    },
}

/// A part of an answer. One that does not end with [`Event::Done`] or [`Event::Refused`] is incomplete.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// The call's turn has come.
    Began,
    /// The data of a server-sent event, or the one body of an answer that does not stream. It may have any form.
    Json(Value),
    /// The one body of an answer that is not JSON.
    Text(String),
    /// The answer is complete.
    Done,
    /// The engine answered with this status.
    Refused {
        /// Outside of 200 to 299.
        status: u16,
        /// What it said, or null if that was not JSON.
        body: Value,
    },
    /// The answer ended before its end.
    Failed(Fault),
}

/// Why an answer ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The engine ended, or closed the connection.
    #[error("it ended in the middle of an answer")]
    Ended,
    /// It sent what is not HTTP, not an event, or not JSON.
    #[error("it broke its protocol")]
    Malformed,
    /// It sent more than such an answer may contain.
    #[error("it sent more than an answer may contain")]
    TooLong,
    /// It sent nothing for too long.
    #[error("it sent nothing for too long")]
    TooSlow,
    /// The client read more slowly than the engine answered, and the rest was not kept.
    #[error("the answer was not read")]
    NotRead,
    /// The call's turn did not come in time.
    #[error("its turn did not come in time")]
    Waited,
    /// There is no engine to ask: it failed and has not been replaced yet.
    #[error("there is no engine")]
    NoEngine,
    /// The model's owner took back its key.
    #[error("the model was taken out of service")]
    Withdrawn,
    /// The enclave may not serve any more.
    #[error("the enclave's trust ended: {0}")]
    TrustEnded(Reason),
}

impl Fault {
    /// Whether it is the engine's.
    pub(super) const fn is_the_engines(self) -> bool {
        match self {
            Self::Ended | Self::Malformed | Self::TooLong | Self::TooSlow => true,
            Self::NotRead
            | Self::Waited
            | Self::NoEngine
            | Self::Withdrawn
            | Self::TrustEnded(_) => false,
        }
    }
}

/// Who is told apart from whom: an API key of the configuration, or else one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tenant(pub(crate) [u8; 32]);

/// A call that is not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// As many wait as may.
    Busy {
        /// When there may be room, from how long calls took lately.
        retry_after: Duration,
    },
    /// There is no engine: it failed and has not been replaced yet.
    NoEngine,
    /// The model's owner took back its key.
    Withdrawn,
    /// The enclave may not serve any more.
    TrustEnded(Reason),
}
