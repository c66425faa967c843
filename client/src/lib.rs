//! What a relying party embeds: TLS to an enclave that must prove itself before it is sent anything.
//!
//! ```no_run
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! use chrysalis_attestation::policy::Policy;
//! use chrysalis_client::{AttestedConnection, RelyingParty, Target};
//!
//! let policy = Policy::parse(&std::fs::read_to_string("policy.toml")?)?;
//! let target: Target = "https://llm.example".parse()?;
//! let mut enclave = AttestedConnection::connect(&target, &RelyingParty::new(policy)).await?;
//! let request = hyper::Request::post("/v1/chat/completions").body("{…}".into())?;
//! let answer = enclave.send(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! This crate verifies nothing by itself; chrysalis-attestation does. What it adds is the order of events: TCP, TLS 1.3, evidence
//! about this very connection, verification; only at the end is there a value with a `send`. It trusts the policy and the clocks
//! that it is given, and nothing that comes over the network. Trust ends at the verdict's `until`, by a wall clock or by a
//! stopwatch, whichever comes first: from then on a connection carries nothing, in either direction.

#![forbid(unsafe_code)]

mod answer;
mod channel;
mod clock;
mod connection;
mod deadlines;
mod error;
pub mod events;
pub mod proxy;
mod relying_party;
mod saved;
mod target;
mod tcp;
mod term;
mod tls;

pub use answer::Answer;
pub use clock::{Clock, Stopwatch, system_stopwatch, system_time};
pub use connection::AttestedConnection;
pub use deadlines::Deadlines;
pub use error::Error;
pub use relying_party::{Ask, Bring, RelyingParty};
pub use saved::{MAX_SAVED, SavedError, SavedSession};
pub use target::{Target, TargetError};

/// Fetches evidence without judging it, so that you can show or save it. Nothing else is ever sent over that connection.
pub async fn fetch_evidence(target: &Target, deadlines: &Deadlines) -> Result<SavedSession, Error> {
    let mut channel = channel::Channel::open(target, deadlines).await?;
    channel.ask_for_evidence(deadlines.evidence).await
}
