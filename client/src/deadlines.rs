//! How long a peer may keep the client waiting. Every wait has an end: a host that stalls is reported, never endured.

use std::{future::Future, time::Duration};

use crate::Error;

/// The limit on each wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Finding the host and opening TCP.
    pub connect: Duration,
    /// The TLS handshake.
    pub handshake: Duration,
    /// Asking for evidence, to its last byte. An enclave under emulation takes many seconds to sign.
    pub evidence: Duration,
    /// Asking NVIDIA about the GPUs' certificates, if the policy wants that; covers all the answers.
    pub revocation: Duration,
    /// From the last byte of a request to the head of its answer. A plain (not streamed) answer begins when the model has finished it.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(20),
            evidence: Duration::from_secs(60),
            revocation: Duration::from_secs(40),
            first_byte: Duration::from_secs(10 * 60),
            idle: Duration::from_secs(2 * 60),
        }
    }
}

/// Waits for `work`, but no longer than `limit`; `what` names the wait in [`Error::Stalled`].
pub(crate) async fn within<T>(
    limit: Duration,
    what: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| Error::Stalled { what, after: limit })
}
