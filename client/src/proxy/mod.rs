//! A local OpenAI-compatible endpoint whose every request goes over a verified connection.
//!
//! Programs that know nothing of attestation point their base address at it. It verifies before its first byte, on every new
//! connection, and again on a timer. When trust ends, so do the streams that rest on it, and they say why. Each answer of a model must come with
//! its receipt; programs see no more of it than they asked for. It trusts the programs on
//! this machine and, if they show the token, on others; no web page that was not allowed by name; and nothing upstream that is not
//! an [`AttestedConnection`].

mod access;
mod direct;
mod door;
mod exchange;
mod folder;
mod forward;
mod gate;
mod given_up;
mod network;
mod page;
mod receipts;
mod reply;
mod serve;
mod stream;

use std::{sync::Arc, time::Duration};

use chrysalis_attestation::Trusted;

pub use self::{
    access::{Access, Origin, OriginError, Token, TokenError},
    direct::{Body, Direct},
    door::{Door, DoorError},
    folder::{EVIDENCE_ENDING, RECEIPT_ENDING, ReceiptFolder, evidence_path},
    network::{Network, NetworkProxy, Summary, Verified},
};
pub use chrysalis_wire::local::{HostName, NotAHost};

use self::{forward::Upstream, gate::Gate, serve::accept};
use crate::{AttestedConnection, Error, RelyingParty, Target};

/// A proxy in front of one enclave. It exists only after the enclave has been verified once.
pub struct Proxy {
    gate: Arc<Gate>,
    first: Trusted,
}

impl Proxy {
    /// Verifies the enclave. A refusal here means that there is nothing to serve.
    pub async fn start(target: Target, relying_party: RelyingParty) -> Result<Self, Error> {
        Self::start_keeping(target, relying_party, None).await
    }

    /// The same, and keeps each answer's receipt in this folder. Receipts are checked in any case.
    pub async fn start_keeping(
        target: Target,
        relying_party: RelyingParty,
        receipts: Option<ReceiptFolder>,
    ) -> Result<Self, Error> {
        let connection = AttestedConnection::connect(&target, &relying_party).await?;
        let first = connection.trusted().clone();
        let gate = Arc::new(Gate::new(vec![target], relying_party, receipts));
        gate.admit(connection);
        Ok(Self { gate, first })
    }

    /// What was verified at the start.
    pub fn trusted(&self) -> &Trusted {
        &self.first
    }

    /// Serves what comes through `door` for as long as it is polled, and verifies the enclave again after each `interval`.
    pub async fn serve(&self, door: Door, interval: Duration) {
        let upstream = Upstream::One(Arc::clone(&self.gate));
        tokio::join!(accept(upstream, door), self.gate.renew_for_ever(interval));
    }
}
