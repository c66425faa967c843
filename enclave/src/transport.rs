//! The byte streams to the outside: vsock on the machine, Unix sockets for a process. The same code runs over both.

use std::{
    future::Future,
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use chrysalis_wire::frame::MAX_VSOCK_WRITE;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{UnixListener, UnixStream},
    time::{Instant, Sleep, sleep},
};
use tokio_vsock::{VMADDR_CID_ANY, VsockAddr, VsockListener, VsockStream};

/// How slowly a peer may read what is written to it. Only the time for which a write waits counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How long writes may wait, in all, before the connection is given up.
    pub(crate) patience: Duration,
    /// Bytes that earn back a second of waiting: a peer that reads faster than this is never cut off.
    pub(crate) bytes_a_second: u32,
}

impl Pace {
    /// For the host and for clients: a minute for an answer, plus a second for every 1024 bytes of it.
    pub(crate) const USUAL: Self = Self {
        patience: Duration::from_mins(1),
        bytes_a_second: 1024,
    };

    /// The waiting that reading so many bytes earns back.
    fn earned(self, bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Duration::from_secs(1).saturating_mul(bytes) / self.bytes_a_second.max(1)
    }
}

/// A connection, whatever carries it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection of any kind.
pub(crate) type AnyStream = Paced<Box<dyn Stream>>;

/// Connects to a vsock.
pub(crate) async fn connect_vsock(context_id: u32, port: u32) -> io::Result<AnyStream> {
    let stream = VsockStream::connect(VsockAddr::new(context_id, port)).await?;
    Ok(Paced::new(Box::new(stream), Pace::USUAL))
}

/// Connects to a Unix socket.
pub(crate) async fn connect_unix(path: &Path) -> io::Result<AnyStream> {
    let stream = UnixStream::connect(path).await?;
    Ok(Paced::new(Box::new(stream), Pace::USUAL))
}

/// Where clients come in.
pub(crate) enum Listener {
    Vsock(VsockListener),
    Unix(UnixListener),
}

impl Listener {
    /// Listens on a vsock port.
    pub(crate) fn vsock(port: u32) -> io::Result<Self> {
        VsockListener::bind(VsockAddr::new(VMADDR_CID_ANY, port)).map(Self::Vsock)
    }

    /// Listens on a Unix socket; one left by an earlier process is replaced.
    pub(crate) fn unix(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => UnixListener::bind(path).map(Self::Unix),
        }
    }

    /// The next client, which may be this slow.
    pub(crate) async fn accept(&self, pace: Pace) -> io::Result<AnyStream> {
        let stream: Box<dyn Stream> = match self {
            Self::Vsock(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        };
        Ok(Paced::new(stream, pace))
    }
}

/// A stream that writes no more at once than a vsock carries ([`MAX_VSOCK_WRITE`]), and gives up on a peer that reads too
/// slowly, whether it reads nothing or a byte now and then.
pub(crate) struct Paced<S> {
    stream: S,
    pace: Pace,
    /// How long finished writes have waited, less what the peer has earned.
    waited: Duration,
    /// Since when a write has been waiting, and when that has lasted too long.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, pace: Pace) -> Self {
        Self {
            stream,
            pace,
            waited: Duration::ZERO,
            waiting: None,
        }
    }

    /// Passes on what the stream answers to a write, a flush or a shutdown, and counts how long they wait; `taken` says how
    /// many bytes the peer read.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
        taken: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        let Poll::Ready(done) = polled else {
            let left = self.pace.patience.saturating_sub(self.waited);
            let (_, too_long) = self
                .waiting
                .get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
            ready!(too_long.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        if let Some((since, _)) = self.waiting.take() {
            self.waited = self.waited.saturating_add(since.elapsed());
        }
        let earned = self.pace.earned(done.as_ref().map_or(0, taken));
        self.waited = self.waited.saturating_sub(earned);
        Poll::Ready(done)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let piece = bytes.get(..MAX_VSOCK_WRITE).unwrap_or(bytes);
        let polled = Pin::new(&mut self.stream).poll_write(context, piece);
        self.watch(context, polled, |taken| *taken)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, polled, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, polled, |()| 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn no_write_is_longer_than_a_vsock_carries() {
        let (near, mut far) = duplex(1 << 20);
        let mut near = Paced::new(near, Pace::USUAL);
        let written = near.write(&vec![7; 100_000]).await.unwrap();
        assert_eq!(written, MAX_VSOCK_WRITE);
        drop(near);
        let mut taken = Vec::new();
        far.read_to_end(&mut taken).await.unwrap();
        assert_eq!(taken.len(), MAX_VSOCK_WRITE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(16);
        let mut near = Paced::new(near, Pace::USUAL);
        let error = near.write_all(&[7; 17]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// How a write of this many bytes ends with a peer that reads a few at a time, and rests after each.
    async fn written_to(reader: (usize, Duration), bytes: usize) -> io::Result<()> {
        let (near, mut far) = duplex(16);
        let mut near = Paced::new(near, Pace::USUAL);
        let (piece, rest) = reader;
        let reading = async {
            let mut taken = vec![0; piece];
            while far.read_exact(&mut taken).await.is_ok() {
                sleep(rest).await;
            }
        };
        tokio::select! {
            written = async { near.write_all(&vec![7; bytes]).await } => written,
            () = reading => panic!("the writer ended first"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_piece_every_nine_seconds_is_given_up() {
        let piece_and_rest = (16, Duration::from_secs(9));
        let error = written_to(piece_and_rest, 10_000).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_what_it_should_may_take_its_time() {
        // Twice the minimum pace, for minutes.
        let piece_and_rest = (16, Duration::from_millis(7));
        written_to(piece_and_rest, 1 << 20).await.unwrap();
    }
}
