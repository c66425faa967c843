//! The relay: TCP on one side, the guest's vsock on the other, bytes only. TLS ends inside the guest, so what passes
//! here is ciphertext, its size and its time.
//!
//! Clients and guest are both untrusted: connections are bounded in number and in idleness, and a side that does not
//! read is not read for.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrysalis_wire::frame::MAX_VSOCK_WRITE;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{link::Link, metrics::Counters};

/// The most connections at once; one more is closed at once and counted.
pub(crate) const MAX_CONNECTIONS: usize = 256;
/// A connection on which nothing moved for this long, or up to twice that, is closed.
const IDLE_LIMIT: Duration = Duration::from_mins(10);
/// The rest when the system cannot accept, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Moves bytes between clients and one guest.
#[derive(Debug)]
pub(crate) struct Relay {
    link: Link,
    counters: Arc<Counters>,
    places: Arc<Semaphore>,
    verbose: bool,
}

impl Relay {
    /// A relay to the guest behind `link`, for at most `limit` connections at once.
    pub(crate) fn new(
        link: Link,
        counters: Arc<Counters>,
        limit: usize,
        verbose: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            link,
            counters,
            places: Arc::new(Semaphore::new(limit)),
            verbose,
        })
    }

    /// Accepts and relays for as long as it is polled. One connection's end touches no other.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((client, _)) = listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                self.counters.refused.add(1);
                continue;
            };
            let relay = Arc::clone(&self);
            tokio::spawn(async move {
                let _place = place;
                let _open = relay.counters.open_one();
                if let Err(error) = relay.carry(client).await {
                    relay.counters.broken.add(1);
                    if relay.verbose {
                        eprintln!("relay: a connection broke: {error}");
                    }
                }
            });
        }
    }

    async fn carry(&self, client: TcpStream) -> io::Result<()> {
        // Answers stream token by token; waiting to fill a packet would only delay them.
        client.set_nodelay(true)?;
        let guest = self.link.connect().await?;
        let (from_client, to_client) = split(client);
        let (from_guest, to_guest) = split(guest);
        let moved = AtomicU64::new(0);
        let both = async {
            tokio::try_join!(
                pump(from_client, to_guest, [&moved, &self.counters.to_guest.0]),
                pump(from_guest, to_client, [&moved, &self.counters.from_guest.0]),
            )
        };
        tokio::select! {
            done = both => done.map(|_| ()),
            () = stands_still(&moved, IDLE_LIMIT) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Copies until the end of `from`, then ends `to`. Holds one buffer: a slow writer slows the reader down.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    counters: [&AtomicU64; 2],
) -> io::Result<()> {
    let mut buffer = vec![0; MAX_VSOCK_WRITE];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
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
    use tokio::{net::UnixListener, time::timeout};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A relay of `limit` places in front of a guest that runs `serve` on each connection.
    async fn relay_to<F: Future<Output = ()> + Send + 'static>(
        folder: &Path,
        limit: usize,
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
            limit,
            false,
        );
        tokio::spawn(relay.serve(listener));
        (address, counters)
    }

    async fn echo(stream: tokio::net::UnixStream) {
        let (from, to) = split(stream);
        let unread = AtomicU64::new(0);
        pump(from, to, [&unread, &unread]).await.ok();
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
        let (address, counters) = relay_to(folder.path(), 4, echo).await;
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
        let (address, _) = relay_to(folder.path(), 4, async |mut stream| {
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
        let (address, counters) = relay_to(folder.path(), 4, echo).await;
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
        let (address, counters) = relay_to(folder.path(), 2, echo).await;
        let first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        eventually(|| counters.open.read() == 2).await;
        let mut third = TcpStream::connect(address).await.unwrap();
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
        let (address, counters) = relay_to(folder.path(), 2, async |stream| {
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

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_moves_stands_still() {
        let moved = AtomicU64::new(0);
        let moving = async {
            for _ in 0..5 {
                sleep(IDLE_LIMIT / 2).await;
                moved.fetch_add(1, Ordering::Relaxed);
            }
            std::future::pending::<()>().await;
        };
        let started = tokio::time::Instant::now();
        tokio::select! {
            () = moving => {}
            () = stands_still(&moved, IDLE_LIMIT) => {}
        }
        assert_eq!(started.elapsed(), IDLE_LIMIT * 4);
    }
}
