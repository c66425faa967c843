//! The relay: TCP on one side, the guest's vsock on the other, bytes only. TLS ends inside the guest, so what passes
//! here is ciphertext, its size and its time.
//!
//! Clients and guest are both untrusted: connections are bounded in number, in all and a client, and in idleness; a side that
//! does not read is not read for, nor waited for; and once one side has ended, the other has seconds. Only the relay sees clients'
//! addresses, so what one client may have is bounded here; what all of them may have, in the enclave as well.

mod clients;
mod silent;

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrysalis_wire::frame::MAX_VSOCK_WRITE;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{link::Link, metrics::Counters};
use clients::{Client, Clients, Share, Visit};
use silent::{Silent, Waiting};

/// The rest when the system cannot accept, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much of the relay is to be had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections to the guest at once; one more is closed and counted.
    pub(crate) connections: usize,
    /// Connections at once on which no byte has come yet; one more closes the one that has been silent for longest.
    pub(crate) silent: usize,
    /// What one client may have of either.
    pub(crate) client: Share,
    /// How long a client may take to send its first byte: it speaks first. The guest is not troubled before.
    pub(crate) first_byte: Duration,
    /// A connection on which nothing moved for this long, or up to twice that, is closed.
    pub(crate) idle: Duration,
    /// How long a client may take to read what it was sent at once, at most [`MAX_VSOCK_WRITE`] bytes.
    pub(crate) reading: Duration,
    /// Once one side has ended: how long nothing may move, or up to twice that,
    pub(crate) still: Duration,
    /// and how long the other side has in all.
    pub(crate) farewell: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 256,
            silent: 128,
            client: Share {
                connections: 32,
                burst: 128,
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
    /// The usual ones, with so many connections at once for one client.
    pub(crate) fn for_clients_of(connections: usize) -> Self {
        let mut bounds = Self::default();
        bounds.client.connections = connections;
        bounds
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
            let Ok((client, from)) = listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
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
                eprintln!("relay: a connection broke: {error}");
            }
        }
    }

    async fn carry(&self, client: TcpStream) -> io::Result<()> {
        // Answers stream token by token; waiting to fill a packet would only delay them.
        client.set_nodelay(true)?;
        let guest = self.link.connect().await?;
        let (from_client, to_client) = split(client);
        let (from_guest, to_guest) = split(guest);
        let moved = AtomicU64::new(0);
        let counters = &self.counters;
        // A guest that takes nothing while it answers harms only that client; a client that takes nothing keeps a place of the guest.
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
            // The end came, and this is how it ends.
            () = stands_still(&moved, self.bounds.still) => Ok(()),
            () = sleep(self.bounds.farewell) => Ok(()),
        }
    }
}

/// Copies until the end of `from`, then ends `to`. Holds one buffer, which must be taken within `patience`: a slow writer slows
/// the reader down, and one that is too slow is given up.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    patience: Duration,
    counters: [&AtomicU64; 2],
) -> io::Result<()> {
    let mut buffer = vec![0; MAX_VSOCK_WRITE];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        timeout(patience, to.write_all(&buffer[..length])).await??;
        for counter in counters {
            counter.fetch_add(u64::try_from(length).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

/// Returns once `moved` stayed the same for a whole `limit`.
async fn stands_still(moved: &AtomicU64, limit: Duration) {
    let mut clock = interval(limit);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = None;
    loop {
        clock.tick().await;
        let now = Some(moved.load(Ordering::Relaxed));
        if now == before {
            return;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::SocketAddr, path::Path};
    use tokio::net::{TcpSocket, UnixListener};

    const PATIENCE: Duration = Duration::from_secs(30);
    const IDLE: Duration = Duration::from_mins(10);
    /// As good as never.
    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(50);

    /// `limit` places, and all of them for one client.
    fn places(limit: usize) -> Bounds {
        Bounds {
            connections: limit,
            ..Bounds::default()
        }
    }

    /// A relay within `bounds` in front of a guest that runs `serve` on each connection.
    async fn relay_to<F: Future<Output = ()> + Send + 'static>(
        folder: &Path,
        bounds: Bounds,
        serve: impl Fn(tokio::net::UnixStream) -> F + Send + 'static,
    ) -> (SocketAddr, Arc<Counters>) {
        let guest = UnixListener::bind(folder.join("tls.sock")).unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = guest.accept().await.unwrap();
                tokio::spawn(serve(stream));
            }
        });
        let counters = Arc::new(Counters::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay = Relay::new(
            Link::Folder(folder.to_owned()),
            Arc::clone(&counters),
            bounds,
            false,
        );
        tokio::spawn(relay.serve(listener));
        (address, counters)
    }

    async fn echo(stream: tokio::net::UnixStream) {
        let (from, to) = split(stream);
        let unread = AtomicU64::new(0);
        pump(from, to, PATIENCE, [&unread, &unread]).await.ok();
    }

    /// A client that has said something.
    async fn speaking(address: SocketAddr) -> TcpStream {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"x").await.unwrap();
        client
    }

    /// The other end of `client` is gone.
    async fn ended(client: &mut TcpStream) {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, client.read_to_end(&mut rest))
            .await
            .expect("an end");
    }

    async fn eventually(holds: impl Fn() -> bool) {
        timeout(PATIENCE, async {
            while !holds() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn carries_32_mib_both_ways_at_once_and_counts_them() {
        const SIZE: usize = 32 << 20;
        let folder = tempfile::tempdir().unwrap();
        let (address, counters) = relay_to(folder.path(), places(4), echo).await;
        let (mut from, mut to) = split(TcpStream::connect(address).await.unwrap());
        let sent: Vec<u8> = (0..SIZE)
            .map(|at| u8::try_from(at * 31 % 251).unwrap())
            .collect();
        let expected = sent.clone();
        tokio::spawn(async move {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        });
        let mut back = Vec::new();
        timeout(PATIENCE, from.read_to_end(&mut back))
            .await
            .unwrap()
            .unwrap();
        assert!(back == expected, "{} bytes came back changed", back.len());
        eventually(|| counters.open.read() == 0).await;
        assert_eq!(
            [counters.to_guest.read(), counters.from_guest.read()],
            [SIZE as u64; 2]
        );
        assert_eq!([counters.total.read(), counters.broken.read()], [1, 0]);
    }

    #[tokio::test]
    async fn a_half_closed_connection_still_gets_its_answer() {
        let folder = tempfile::tempdir().unwrap();
        let (address, _) = relay_to(folder.path(), places(4), async |mut stream| {
            let mut question = String::new();
            stream.read_to_string(&mut question).await.unwrap();
            stream
                .write_all(format!("{question}!").as_bytes())
                .await
                .unwrap();
        })
        .await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"whole question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, client.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer, "whole question!");
    }

    #[tokio::test]
    async fn one_broken_connection_touches_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (address, counters) = relay_to(folder.path(), places(4), echo).await;
        let mut healthy = TcpStream::connect(address).await.unwrap();
        let mut broken = TcpStream::connect(address).await.unwrap();
        broken.write_all(b"x").await.unwrap();
        eventually(|| counters.to_guest.read() == 1).await;
        broken.set_zero_linger().unwrap();
        drop(broken);
        eventually(|| counters.open.read() == 1).await;
        healthy.write_all(b"still").await.unwrap();
        let mut back = [0; 5];
        timeout(PATIENCE, healthy.read_exact(&mut back))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&back, b"still");
    }

    #[tokio::test]
    async fn refuses_one_connection_too_many_and_takes_one_again_when_a_place_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (address, counters) = relay_to(folder.path(), places(2), echo).await;
        let first = speaking(address).await;
        let _second = speaking(address).await;
        eventually(|| counters.open.read() == 2).await;
        let mut third = speaking(address).await;
        let ended = timeout(PATIENCE, third.read(&mut [0])).await.unwrap();
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        assert_eq!(counters.refused.read(), 1);
        drop(first);
        eventually(|| counters.open.read() == 1).await;
        let mut fourth = TcpStream::connect(address).await.unwrap();
        fourth.write_all(b"y").await.unwrap();
        assert_eq!(
            timeout(PATIENCE, fourth.read_u8()).await.unwrap().unwrap(),
            b'y'
        );
    }

    #[tokio::test]
    async fn a_reader_that_stops_reading_stops_the_sender() {
        let folder = tempfile::tempdir().unwrap();
        let (address, counters) = relay_to(folder.path(), places(2), async |stream| {
            sleep(PATIENCE).await;
            drop(stream);
        })
        .await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let flood = async {
            let chunk = vec![0; 1 << 20];
            for _ in 0..256 {
                client.write_all(&chunk).await.unwrap();
            }
        };
        assert!(
            timeout(Duration::from_millis(500), flood).await.is_err(),
            "256 MiB went nowhere"
        );
        assert!(
            counters.to_guest.read() < 4 << 20,
            "{}",
            counters.to_guest.read()
        );
    }

    /// Bounds of which only the named ones can end a connection while a test runs.
    fn only(bounds: impl FnOnce(&mut Bounds)) -> Bounds {
        let mut only = Bounds {
            first_byte: LONG,
            idle: LONG,
            reading: LONG,
            still: LONG,
            farewell: LONG,
            ..Bounds::default()
        };
        bounds(&mut only);
        only
    }

    #[tokio::test]
    async fn a_place_is_free_soon_after_the_enclave_hung_up() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = only(|bounds| bounds.still = SHORT);
        let hang_up = async |mut stream: tokio::net::UnixStream| {
            stream.read_u8().await.ok();
        };
        let (address, counters) = relay_to(folder.path(), bounds, hang_up).await;
        // Its own side stays open, and it says no more.
        let mut client = speaking(address).await;
        ended(&mut client).await;
        eventually(|| counters.total.read() == 1 && counters.open.read() == 0).await;
    }

    #[tokio::test]
    async fn a_client_that_drips_on_after_the_end_has_an_end_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = only(|bounds| bounds.farewell = SHORT);
        // Says its last word and reads on for ever.
        let (address, counters) = relay_to(folder.path(), bounds, async |mut stream| {
            stream.shutdown().await.unwrap();
            tokio::io::copy(&mut stream, &mut tokio::io::sink())
                .await
                .ok();
        })
        .await;
        let mut client = speaking(address).await;
        ended(&mut client).await;
        timeout(PATIENCE, async {
            while client.write_all(b"drip").await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the relay to hang up");
        eventually(|| counters.open.read() == 0).await;
    }

    #[tokio::test]
    async fn a_half_closed_client_that_gets_no_answer_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = only(|bounds| bounds.still = SHORT);
        // Neither answers nor ends.
        let (address, counters) = relay_to(folder.path(), bounds, async |stream| {
            sleep(LONG).await;
            drop(stream);
        })
        .await;
        let mut client = speaking(address).await;
        client.shutdown().await.unwrap();
        ended(&mut client).await;
        eventually(|| counters.total.read() == 1 && counters.open.read() == 0).await;
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_gives_up_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = only(|bounds| bounds.reading = SHORT);
        let (address, counters) = relay_to(folder.path(), bounds, async |mut stream| {
            let flood = vec![7; 1 << 16];
            while stream.write_all(&flood).await.is_ok() {}
        })
        .await;
        let _client = speaking(address).await;
        eventually(|| counters.broken.read() == 1 && counters.open.read() == 0).await;
    }

    #[tokio::test]
    async fn silent_clients_lock_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = only(|bounds| {
            bounds.connections = 2;
            bounds.silent = 2;
        });
        let (address, counters) = relay_to(folder.path(), bounds, echo).await;
        let mut silent = Vec::new();
        for _ in 0..8 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut client = speaking(address).await;
        let answer = timeout(PATIENCE, client.read_u8()).await;
        assert_eq!(answer.unwrap().unwrap(), b'x');
        // The first to be silent had to go; the guest never heard of any.
        ended(&mut silent[0]).await;
        assert_eq!(counters.total.read(), 1);
    }

    #[tokio::test]
    async fn a_client_that_stays_silent_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = only(|bounds| bounds.first_byte = SHORT);
        let (address, counters) = relay_to(folder.path(), bounds, echo).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        ended(&mut client).await;
        assert_eq!(counters.total.read(), 0);
    }

    #[tokio::test]
    async fn one_client_leaves_places_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = only(|bounds| bounds.client.connections = 2);
        let (address, counters) = relay_to(folder.path(), bounds, echo).await;
        let held = [speaking(address).await, speaking(address).await];
        eventually(|| counters.open.read() == 2).await;
        ended(&mut speaking(address).await).await;
        assert_eq!(counters.refused.read(), 1);
        // Another address of this machine is another client.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut other = socket.connect(address).await.unwrap();
        other.write_all(b"y").await.unwrap();
        let answer = timeout(PATIENCE, other.read_u8()).await;
        assert_eq!(answer.unwrap().unwrap(), b'y');
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_moves_stands_still() {
        let moved = AtomicU64::new(0);
        let moving = async {
            for _ in 0..5 {
                sleep(IDLE / 2).await;
                moved.fetch_add(1, Ordering::Relaxed);
            }
            std::future::pending::<()>().await;
        };
        let started = tokio::time::Instant::now();
        tokio::select! {
            () = moving => {}
            () = stands_still(&moved, IDLE) => {}
        }
        assert_eq!(started.elapsed(), IDLE * 4);
    }
}
