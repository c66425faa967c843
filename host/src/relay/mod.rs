//! The relay: TCP on one side, the guest's vsock on the other, bytes only. TLS ends inside the guest, so what passes
//! here is ciphertext, its size and its time.
//!
//! Clients and guest are both untrusted: connections are bounded in number, in total and for each client, and in idleness; a
//! side that does not read is neither buffered for nor waited for; and once one side has ended, the other has seconds. Only the
//! relay sees clients' addresses, so what one client may have is bounded here; what all of them may have, in the enclave too.

pub(crate) mod alone;
pub(crate) mod options;
mod pump;
mod silent;
#[cfg(test)]
mod tests;

use std::{
    io,
    pin::pin,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use chrysalis_wire::clients::{Client, Clients, Share, Visit};
use tokio::{
    io::split,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use self::{
    pump::{pump, stands_still},
    silent::{Silent, Waiting},
};
use crate::{accept, guest::link::Link, metrics::counters::Counters, talk::say};

/// How much of the relay clients may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections to the guest at once; one more is closed and counted.
    pub(crate) connections: usize,
    /// Connections at once on which no byte has come yet; one more closes the one that has been silent for longest.
    pub(crate) silent: usize,
    /// One client's share of either.
    pub(crate) client: Share,
    /// How long a client may take to send its first byte: it speaks first. The guest is not contacted before.
    pub(crate) first_byte: Duration,
    /// A connection on which nothing moved for this long, or up to twice that, is closed.
    pub(crate) idle: Duration,
    /// How long a client may take to read what it was sent at once, at most `MAX_VSOCK_WRITE` bytes.
    pub(crate) reading: Duration,
    /// Once one side has ended: how long nothing may move, or up to twice that,
    pub(crate) still: Duration,
    /// and how long the other side has in all.
    pub(crate) farewell: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 10_240,
            silent: 256,
            client: Share {
                connections: 64,
                burst: 256,
                every: Duration::from_millis(100),
            },
            first_byte: Duration::from_secs(5),
            idle: Duration::from_mins(10),
            reading: Duration::from_secs(20),
            still: Duration::from_secs(2),
            farewell: Duration::from_secs(20),
        }
    }
}

impl Bounds {
    /// The same, with so many connections at once, and so many of them for one client, which may open four times as many in a row.
    fn within(mut self, connections: usize, of_client: u32) -> Self {
        let of_client_at_once = usize::try_from(of_client).unwrap_or(usize::MAX);
        self.connections = connections;
        self.client.connections = of_client_at_once.min(connections);
        self.client.burst = of_client.saturating_mul(4);
        self
    }
}

/// Moves bytes between clients and one guest.
#[derive(Debug)]
pub(crate) struct Relay {
    link: Link,
    counters: Arc<Counters>,
    bounds: Bounds,
    places: Arc<Semaphore>,
    silent: Arc<Silent>,
    clients: Arc<Clients>,
    verbose: bool,
}

impl Relay {
    /// A relay to the guest behind `link`.
    pub(crate) fn new(
        link: Link,
        counters: Arc<Counters>,
        bounds: Bounds,
        verbose: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            link,
            counters,
            bounds,
            places: Arc::new(Semaphore::new(bounds.connections)),
            silent: Silent::new(bounds.silent),
            clients: Clients::new(bounds.client),
            verbose,
        })
    }

    /// Accepts and relays for as long as it is polled. One connection's end touches no other.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let (client, from) = accept::next(|| listener.accept()).await;
            let whose = Client::of(from.ip());
            let Some(visit) = self.clients.admit(whose, Instant::now()) else {
                self.counters.refused.add(1);
                continue;
            };
            let waiting = self.silent.enter();
            tokio::spawn(Arc::clone(&self).receive(client, visit, waiting));
        }
    }

    /// Waits for a client's first byte, then carries.
    async fn receive(self: Arc<Self>, client: TcpStream, _visit: Visit, mut waiting: Waiting) {
        let mut first = [0];
        let spoke = tokio::select! {
            spoke = timeout(self.bounds.first_byte, client.peek(&mut first)) => spoke,
            () = waiting.displaced() => {
                self.counters.refused.add(1);
                return;
            }
        };
        drop(waiting);
        // One that ends, breaks or stays silent has asked for nothing.
        let Ok(Ok(1..)) = spoke else {
            return;
        };
        let Ok(_place) = self.places.try_acquire() else {
            self.counters.refused.add(1);
            return;
        };
        let _open = self.counters.open_one();
        if let Err(error) = self.carry(client).await {
            self.counters.broken.add(1);
            if self.verbose {
                say(format_args!("relay: a connection broke: {error}"));
            }
        }
    }

    async fn carry(&self, client: TcpStream) -> io::Result<()> {
        // Answers stream token by token; waiting to fill a packet would only delay them.
        client.set_nodelay(true)?;
        let guest = self.link.connect().await?;
        let (from_client, to_client) = client.into_split();
        let (from_guest, to_guest) = split(guest);
        let moved = AtomicU64::new(0);
        let counters = &self.counters;
        // A guest that takes nothing while it answers harms only that client; a client that takes nothing keeps one of the guest's
        // places.
        let up = pump(
            from_client,
            to_guest,
            self.bounds.idle,
            [&moved, &counters.to_guest.0],
        );
        let down = pump(
            from_guest,
            to_client,
            self.bounds.reading,
            [&moved, &counters.from_guest.0],
        );
        let (mut up, mut down) = (pin!(up), pin!(down));
        let client_ended = tokio::select! {
            ended = &mut up => ended.map(|()| true)?,
            ended = &mut down => ended.map(|()| false)?,
            () = stands_still(&moved, self.bounds.idle) => return Err(io::ErrorKind::TimedOut.into()),
        };
        let rest = async { if client_ended { down.await } else { up.await } };
        tokio::select! {
            ended = rest => ended,
            // One side has ended, so this is an end like any other.
            () = stands_still(&moved, self.bounds.still) => Ok(()),
            () = sleep(self.bounds.farewell) => Ok(()),
        }
    }
}
