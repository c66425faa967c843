//! A local OpenAI-compatible endpoint whose every request goes over a verified connection.
//!
//! Programs that know nothing of attestation point their base address at it. It verifies before its first byte, on every
//! new connection, and again on a timer; when trust ends, so do the streams that rest on it, by name. Trusts whoever
//! can reach its port on this machine, except web pages; trusts nothing upstream that is not [`AttestedConnection`].

mod forward;
mod gate;
mod reply;
mod stream;

use std::{sync::Arc, time::Duration};

use chrysalis_attestation::Trusted;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

use self::gate::Gate;
use crate::{AttestedConnection, Error, RelyingParty, Target};

/// The most connections of local programs at once; the next one waits.
const MAX_CONNECTIONS: usize = 256;
/// The most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;
/// How long a local program may take to send the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);

/// A proxy in front of one enclave. There is none until the enclave has been verified once.
pub struct Proxy {
    gate: Arc<Gate>,
    first: Trusted,
}

impl Proxy {
    /// Verifies the enclave; a refusal here means that there is nothing to serve.
    pub async fn start(target: Target, relying_party: RelyingParty) -> Result<Self, Error> {
        let connection = AttestedConnection::connect(&target, &relying_party).await?;
        let first = connection.trusted().clone();
        let gate = Arc::new(Gate::new(target, relying_party));
        gate.admit(connection);
        Ok(Self { gate, first })
    }

    /// What was verified at the start.
    pub fn trusted(&self) -> &Trusted {
        &self.first
    }

    /// Serves `listener` for as long as it is polled, and verifies the enclave again after each `interval`.
    pub async fn serve(&self, listener: TcpListener, interval: Duration) {
        tokio::join!(self.accept(listener), self.gate.renew_for_ever(interval));
    }

    async fn accept(&self, listener: TcpListener) {
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let Ok((local, _)) = listener.accept().await else {
                // Out of descriptors, most likely: some come back when connections end.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let gate = Arc::clone(&self.gate);
            tokio::spawn(async move {
                let answer = service_fn(|request| forward::answer(Arc::clone(&gate), request));
                // A local program that hangs up ends its own connection and nothing else.
                let _ = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_DEADLINE)
                    .max_buf_size(MAX_HEAD)
                    .serve_connection(TokioIo::new(local), answer)
                    .await;
                drop(place);
            });
        }
    }
}
