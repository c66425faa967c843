//! What can go wrong, by whose fault. Each error has a stable code and says what to do next.

use std::time::Duration;

use chrysalis_attestation::{Refusal, Rejection};

/// Why there is no trusted answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer's evidence was examined and refused: a verdict.
    #[error("not trusted: {}", .0.rejection)]
    Refused(Box<Refusal>),
    /// The peer proved itself, but with another key than the one that was trusted before: another enclave, or the same one started anew.
    #[error("the enclave behind the address has another key than the one verified before")]
    KeyChanged,
    /// What the evidence rests on has run out since it was verified.
    #[error("the evidence was good until {until}, which is past")]
    Expired {
        /// Unix seconds.
        until: i64,
    },
    /// NVIDIA could not be asked about the GPUs' certificates, and the policy wants that.
    #[error("NVIDIA could not be asked whether it still stands by the GPUs' certificates: {why}")]
    Unasked {
        /// Why not.
        why: String,
    },
    /// No connection came about.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// Whom the client tried.
        address: String,
        /// What the network said.
        why: String,
    },
    /// The peer kept the client waiting.
    #[error("the host stalled: no {what} within {} s", .after.as_secs_f32())]
    Stalled {
        /// What the client waited for.
        what: &'static str,
        /// For how long.
        after: Duration,
    },
    /// The connection was closed before the request was sent; not a byte of it left.
    #[error("the connection was closed before the request was sent")]
    Closed,
    /// One verified connection after the other was closed before the request was sent; not a byte of it left.
    #[error(
        "the host closed {tries} verified connections in a row before the request could be sent"
    )]
    CutOff {
        /// How many.
        tries: u32,
    },
    /// The connection ended in the middle. An answer received so far is not the whole answer.
    #[error("the connection ended before the {what} was complete")]
    Incomplete {
        /// What was cut.
        what: &'static str,
    },
    /// The peer does not speak as an enclave does.
    #[error("the peer does not speak as an enclave does: {0}")]
    Protocol(String),
    /// This machine's random numbers or TLS are unusable.
    #[error("this machine cannot open a secure connection: {0}")]
    Local(String),
}

impl Error {
    /// The stable code, such as `launch_digest_unknown` or `stalled`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.rejection.code(),
            Self::KeyChanged => "key_changed",
            Self::Expired { .. } => "evidence_expired",
            Self::Unasked { .. } => "revocation_unasked",
            Self::Unreachable { .. } => "unreachable",
            Self::Stalled { .. } => "stalled",
            Self::Closed => "connection_closed",
            Self::CutOff { .. } => "connections_cut",
            Self::Incomplete { .. } => "incomplete_answer",
            Self::Protocol(_) => "protocol_error",
            Self::Local(_) => "local_error",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.rejection.hint(),
            Self::KeyChanged => "send the request again: the next connection is verified anew",
            Self::Expired { .. } => {
                "connect again: the host staples fresh collateral when its vendor offers any"
            }
            Self::Unasked { .. } => {
                "check this machine's network, or name another responder with --mirror nvidia-ocsp=URL; revocation = \"stapled\" under [gpu] in the policy accepts answers of the last day instead"
            }
            Self::Unreachable { .. } => {
                "check the address, and that `chrysalis-host run` says it is listening there"
            }
            Self::Stalled { .. } => {
                "try again later; if it keeps stalling, ask the provider what `chrysalis-host` logs"
            }
            Self::Closed => "connect again and send the request anew",
            Self::CutOff { .. } => {
                "the request did not leave this machine: ask the provider what closes connections in front of the enclave, and what `chrysalis-host` logs"
            }
            Self::Incomplete { .. } => "discard what came or treat it as cut short, and ask again",
            Self::Protocol(_) => {
                "check that the address is that of a chrysalis host, and that both sides are of one release"
            }
            Self::Local(_) => {
                "this is no fault of the peer: check this machine's entropy and clock"
            }
        }
    }

    /// Whether evidence was examined and found wanting, rather than never obtained.
    pub fn is_verdict(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::KeyChanged | Self::Expired { .. }
        )
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Refusal::from(rejection).into()
    }
}

/// An error of hyper's, read for whose fault it is; `what` names what was under way.
pub(crate) fn from_hyper(error: &hyper::Error, what: &'static str) -> Error {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    for cause in causes {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Error::Protocol(tls.to_string());
        }
        let inside = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if let Some(tls) = inside.and_then(|inside| inside.downcast_ref::<rustls::Error>()) {
            return Error::Protocol(tls.to_string());
        }
    }
    if error.is_parse() && !error.is_incomplete_message() {
        return Error::Protocol(error.to_string());
    }
    Error::Incomplete { what }
}
