//! A local OpenAI-compatible endpoint whose every request goes over a verified connection.
//!
//! Programs that know nothing of attestation point their base address at it. It verifies before its first byte, on every new
//! connection, and again on a timer. When trust ends, so do the streams that rest on it, and they say why. Each answer of a model must come with
//! its receipt; programs see no more of it than they asked for. It trusts the programs on
//! this machine and, if they show the token, on others; no web page that was not allowed by name; and nothing upstream that is not
//! an [`AttestedConnection`].

mod access;
mod door;
mod folder;
mod forward;
mod gate;
mod given_up;
mod network;
mod page;
mod receipts;
mod reply;
mod stream;

use std::{sync::Arc, time::Duration};

use chrysalis_attestation::Trusted;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

pub use self::{
    access::{Access, Origin, OriginError, Token, TokenError},
    door::{Door, DoorError},
    folder::{EVIDENCE_ENDING, RECEIPT_ENDING, ReceiptFolder, evidence_path},
    network::{Network, NetworkProxy, Summary, Verified},
};
pub use chrysalis_wire::local::{HostName, NotAHost};

use self::{forward::Upstream, gate::Gate};
use crate::{AttestedConnection, Error, RelyingParty, Target};

/// The most connections from local programs at once; the next one waits.
const MAX_CONNECTIONS: usize = 256;
/// The most bytes and headers that are read of a request's head: more than pass, so that a program can read the refusal.
const MAX_HEAD_READ: usize = 256 * 1024;
const MAX_HEADERS_READ: usize = 512;
/// How long a local program may take to send the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);

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

/// Serves what comes through the door.
async fn accept(upstream: Upstream, door: Door) {
    let listener = door.listener;
    let rules = Arc::new(door.rules);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((local, _)) = listener.accept().await else {
            // Most likely out of descriptors: some come back when connections end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(own_end) = local.local_addr() else {
            continue;
        };
        let (upstream, rules) = (upstream.clone(), Arc::clone(&rules));
        tokio::spawn(async move {
            let answer =
                service_fn(|request| forward::answer(upstream.clone(), &rules, own_end, request));
            // If a local program hangs up, that ends its own connection and nothing else.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_DEADLINE)
                .max_buf_size(MAX_HEAD_READ)
                .max_headers(MAX_HEADERS_READ)
                .serve_connection(TokioIo::new(local), answer)
                .await;
            drop(place);
        });
    }
}
