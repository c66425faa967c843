//! What can go wrong, and whose fault it is. Each error has a stable code and says what to do next.

use std::time::Duration;

use chrysalis_attestation::{Refusal, Rejection};
use chrysalis_network::Rejection as ListingRejection;
use chrysalis_settle::Rejection as ReceiptRejection;
use chrysalis_wire::api::{ATTESTATION_BUSY, TRUST_ENDED};

/// Why there is no trusted answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer's evidence was examined and refused. This is a verdict.
    #[error("not trusted: {}", .0.rejection)]
    Refused(Box<Refusal>),
    /// The peer proved itself, but with a different key from the one trusted before: it is another enclave, or the same one restarted.
    #[error("the enclave behind the address has a different key from the one verified before")]
    KeyChanged,
    /// The peer proved itself, but not this answer: its receipt is wrong or missing. This is a verdict on the answer.
    #[error("the answer is not proved: {0}")]
    Receipt(#[from] ReceiptRejection),
    /// The peer proved itself, and is not what its listing says. This is a verdict on the listing.
    #[error(transparent)]
    Listing(#[from] ListingRejection),
    /// A model's price is over the limit.
    #[error("it asks {asked} nano for a million units, and the limit is {most}")]
    TooDear {
        /// Nano for a million units.
        asked: u64,
        /// The most that was allowed.
        most: u64,
    },
    /// The network has nobody who could answer.
    #[error("nobody in the network can answer: {why}")]
    NoProvider {
        /// The stable code.
        code: &'static str,
        /// Why not.
        why: String,
    },
    /// Something that the evidence rests on has expired since it was verified.
    #[error("the evidence was good until {until}, which is past")]
    Expired {
        /// Unix seconds.
        until: i64,
    },
    /// The policy wants NVIDIA to be asked about the GPUs' certificates, and that failed.
    #[error("cannot ask NVIDIA whether the GPUs' certificates are still good: {why}")]
    Unasked {
        /// Why not.
        why: String,
    },
    /// No connection could be made.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// The address that the client tried.
        address: String,
        /// What the network said.
        why: String,
    },
    /// The peer kept the client waiting.
    #[error("the host stalled: no {what} within {} s", .after.as_secs_f32())]
    Stalled {
        /// What the client waited for.
        what: &'static str,
        /// How long it waited.
        after: Duration,
    },
    /// The connection was closed before the request was sent: not a byte of it left.
    #[error("the connection was closed before the request was sent")]
    Closed,
    /// One verified connection after another was closed before the request was sent: not a byte of it left.
    #[error(
        "the host closed {tries} verified connections in a row before the request could be sent"
    )]
    CutOff {
        /// How many connections.
        tries: u32,
    },
    /// The connection ended midway. What was received so far is not the whole answer.
    #[error("the connection ended before the {what} was complete")]
    Incomplete {
        /// What was cut.
        what: &'static str,
    },
    /// The relay did not bring the request to the enclave, or brought nothing back.
    #[error("the relay failed: {why}")]
    Relay {
        /// Why.
        why: String,
    },
    /// The relay said that the enclave does not have the key which the request was sealed for. Anybody in between may have said so.
    #[error("the relay said that the enclave does not have the key that its evidence proved")]
    RelayKeyGone,
    /// What came back through the relay is not what the enclave sealed.
    #[error("the answer was altered on its way through the relay, or its pieces were reordered")]
    AnswerAltered,
    /// The enclave gives out keys for relays that its evidence does not cover.
    #[error("the keys for requests through relays are not those that the evidence covers")]
    RelayKeys,
    /// The peer says that it has nothing to give. Anything in between may have said so.
    #[error("asked for {what}, it answered that {why}")]
    Declined {
        /// What the client asked for.
        what: &'static str,
        /// Why there is none.
        why: Declined,
    },
    /// The enclave does not let this client pay.
    #[error("the enclave refuses the payment: {message}")]
    Payment {
        /// The enclave's code.
        code: String,
        /// What the enclave says.
        message: String,
    },
    /// The peer does not speak the way an enclave does.
    #[error("the peer does not behave like an enclave: {0}")]
    Protocol(String),
    /// This machine's random numbers or TLS are unusable.
    #[error("this machine cannot open a secure connection: {0}")]
    Local(String),
}

/// Why a peer gives no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Declined {
    /// Too many ask, or this client asks too often.
    #[error("too many ask at the moment")]
    Busy,
    /// It could not prove again what it is.
    #[error("it could not prove again what it is, has destroyed its keys and ends")]
    TrustEnded,
}

impl Declined {
    /// The code of the error with which it says so.
    pub fn code(self) -> &'static str {
        match self {
            Self::Busy => ATTESTATION_BUSY,
            Self::TrustEnded => TRUST_ENDED,
        }
    }

    /// The reason that has this code.
    pub(crate) fn of(code: &str) -> Option<Self> {
        let all = [Self::Busy, Self::TrustEnded];
        all.into_iter().find(|why| why.code() == code)
    }
}

impl Error {
    /// The stable code, such as `launch_digest_unknown` or `stalled`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.rejection.code(),
            Self::KeyChanged => "key_changed",
            Self::Receipt(rejection) => rejection.code(),
            Self::Listing(rejection) => rejection.code(),
            Self::TooDear { .. } => "price_over_ceiling",
            Self::NoProvider { code, .. } => code,
            Self::Expired { .. } => "evidence_expired",
            Self::Unasked { .. } => "revocation_unasked",
            Self::Unreachable { .. } => "unreachable",
            Self::Stalled { .. } => "stalled",
            Self::Closed => "connection_closed",
            Self::CutOff { .. } => "connections_cut",
            Self::Incomplete { .. } => "incomplete_answer",
            Self::Relay { .. } => "relay_failed",
            Self::RelayKeyGone => "relay_key_gone",
            Self::AnswerAltered => "answer_altered",
            Self::RelayKeys => "relay_keys_unproved",
            Self::Declined { why, .. } => why.code(),
            Self::Payment { code, .. } => payment(code).0,
            Self::Protocol(_) => "protocol_error",
            Self::Local(_) => "local_error",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.rejection.hint(),
            Self::Receipt(rejection) => rejection.hint(),
            Self::Listing(rejection) => rejection.hint(),
            Self::TooDear { .. } => "allow more with --max-price, or wait until the price falls",
            Self::NoProvider { code, .. } => nobody(code),
            Self::KeyChanged => {
                "send the request again; the next connection is verified from scratch"
            }
            Self::Expired { .. } => {
                "connect again; the host staples fresh collateral when the vendor offers it"
            }
            Self::Unasked { .. } => {
                "check this machine's network, or name another responder with --mirror nvidia-ocsp=URL; or accept answers from the last day with revocation = \"stapled\" under [gpu] in the policy"
            }
            Self::Unreachable { .. } => {
                "check the address, and check that `chrysalis-host run` says it is listening there"
            }
            Self::Stalled { .. } => {
                "try again later; if it keeps stalling, ask the provider what `chrysalis-host` logs"
            }
            Self::Closed => "connect again and resend the request",
            Self::RelayKeyGone => {
                "connect again, and resend the request only if the new evidence proves another key"
            }
            Self::CutOff { .. } => {
                "the request did not leave this machine: ask the provider what closes connections in front of the enclave, and what `chrysalis-host` logs"
            }
            Self::Incomplete { .. } => "discard what came or treat it as cut short, and ask again",
            Self::Relay { .. } => {
                "check the relay's address, and ask whoever runs it whether it forwards to this enclave's /v1/ohttp"
            }
            Self::AnswerAltered => "discard what came, and use another relay",
            Self::RelayKeys => {
                "send nothing through relays; ask the provider what stands in front of the enclave's /v1/ohttp-keys"
            }
            Self::Declined { why, .. } => match why {
                Declined::Busy => "connect again in a few seconds",
                Declined::TrustEnded => {
                    "use another machine, or ask the provider what `chrysalis-host` logs and to start this one again"
                }
            },
            Self::Payment { code, .. } => payment(code).1,
            Self::Protocol(_) => {
                "check that the address is that of a chrysalis host, and that both sides run the same release"
            }
            Self::Local(_) => "check this machine's entropy and clock; the peer is not at fault",
        }
    }

    /// Whether evidence was obtained, examined and refused, rather than never obtained.
    pub fn is_verdict(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::KeyChanged
                | Self::Receipt(_)
                | Self::Listing(_)
                | Self::Expired { .. }
        )
    }
}

/// What to do where nobody in a network can answer.
fn nobody(code: &str) -> &'static str {
    match code {
        "network_expired" => "get the network's current descriptor",
        "listings_expired" => {
            "check this machine's network and clock, and the network's directories: none of them answers with anything that is current"
        }
        "budget_spent" => "allow more with --budget, or close lanes that are not used",
        "price_unknown" => {
            "say with --max-price what you would pay: no directory says what the model costs"
        }
        _ => {
            "allow more with --max-price, or try again later; `chrysalis network list` shows who is listed"
        }
    }
}

/// An enclave's code as one of those that are known, and what to do next.
fn payment(code: &str) -> (&'static str, &'static str) {
    let known = [
        (
            "lane_unknown",
            "check with `chrysalis pay status` that the lane is for this provider; one that was just locked is known after half a minute",
        ),
        (
            "lane_closing",
            "lock another lane with `chrysalis pay lock`",
        ),
        (
            "lane_too_small",
            "lock more with `chrysalis pay lock`: the provider's listing says the least that it serves",
        ),
        (
            "lane_closes_too_soon",
            "lock another lane, with a longer `--close-delay`: the provider's listing says the shortest that it serves",
        ),
        (
            "cap_signature",
            "use the key of this lane, which `chrysalis pay lock` wrote",
        ),
        (
            "presence_signature",
            "use the key of this lane, which `chrysalis pay lock` wrote",
        ),
        (
            "chain_unreachable",
            "try again later; the provider cannot ask the chain now",
        ),
        ("tabs_full", "try again later, or ask another provider"),
        (
            "invalid_request_error",
            "ask without --pay: this enclave takes no payment",
        ),
    ];
    let unknown = (
        "payment_refused",
        "ask the provider what `chrysalis-host` logs",
    );
    let found = known.into_iter().find(|(name, _)| *name == code);
    found.unwrap_or(unknown)
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

/// Works out from hyper's error whose fault it is; `what` names what was under way.
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
