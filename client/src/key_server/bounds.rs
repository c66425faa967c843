//! How much of the server an enclave may take before it has proven anything.

use std::time::Duration;

use chrysalis_wire::clients::Share;

/// How many conversations there are, and how long each step of one may take.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Bounds {
    /// Conversations at once; one more waits until another has ended.
    pub connections: usize,
    /// What one IPv4 address, or one IPv6 /64, may have of them; one more is closed at once.
    pub client: Share,
    /// How long TLS may take to begin.
    pub handshake: Duration,
    /// How long the enclave may take to prove what it is. It gives up on the whole conversation no later.
    pub evidence: Duration,
    /// How long the verdict may take: NVIDIA may have to be asked.
    pub verdict: Duration,
    /// How long the enclave may take to read what it is told, each time.
    pub reading: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 256,
            client: Share {
                connections: 32,
                burst: 128,
                every: Duration::from_millis(100),
            },
            handshake: Duration::from_secs(10),
            evidence: Duration::from_secs(30),
            verdict: Duration::from_secs(60),
            reading: Duration::from_secs(10),
        }
    }
}

impl Bounds {
    /// The same with so many connections for one client, which may open four times as many in a row, and for eight clients at once.
    #[must_use]
    pub fn with_connections_per_client(mut self, connections: u16) -> Self {
        self.client.connections = connections.into();
        self.client.burst = u32::from(connections).saturating_mul(4);
        self.connections = usize::from(connections).saturating_mul(8);
        self
    }
}
