#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod channel;
mod clock;
mod connection;
mod deadlines;
mod dial;
mod epoch;
mod error;
pub mod events;
mod kept;
pub mod key_server;
pub mod network;
mod pad;
mod pay;
pub mod proxy;
mod relay;
mod relying_party;
mod target;
mod tcp;
mod term;
mod tls;

pub use answer::Answer;
pub use chrysalis_attestation::evidence::{MAX_SAVED, SavedError, SavedSession};
pub use chrysalis_wire::{api::CHAT, content};
pub use clock::{Clock, Stopwatch, system_stopwatch, system_time};
pub use connection::{Asked, AttestedConnection};
pub use deadlines::Deadlines;
pub use dial::{Dial, Socks, SocksError};
pub use epoch::Epoch;
pub use error::{Declined, Error};
pub use pay::{Lane, Payer};
pub use relay::{Relay, RelayError};
pub use relying_party::{Ask, Bring, RelyingParty};
pub use target::{Target, TargetError};

/// Fetches evidence without judging it, so that you can show or save it. Nothing else is ever sent over that connection.
pub async fn fetch_evidence(target: &Target, deadlines: &Deadlines) -> Result<SavedSession, Error> {
    let mut channel = channel::Channel::open(target, &Dial::default(), deadlines).await?;
    let (saved, _) = channel.ask_for_evidence(deadlines.evidence, &[]).await?;
    Ok(saved)
}
