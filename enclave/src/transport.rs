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
    time::{Sleep, sleep},
};
use tokio_vsock::{VMADDR_CID_ANY, VsockAddr, VsockListener, VsockStream};

/// How long a peer may leave a write untaken before its connection is given up.
const WRITE_PATIENCE: Duration = Duration::from_mins(1);

/// A connection, whatever carries it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection of any kind.
pub(crate) type AnyStream = Paced<Box<dyn Stream>>;

/// Connects to a vsock.
pub(crate) async fn connect_vsock(context_id: u32, port: u32) -> io::Result<AnyStream> {
    let stream = VsockStream::connect(VsockAddr::new(context_id, port)).await?;
    Ok(Paced::new(Box::new(stream)))
}

/// Connects to a Unix socket.
pub(crate) async fn connect_unix(path: &Path) -> io::Result<AnyStream> {
    let stream = UnixStream::connect(path).await?;
    Ok(Paced::new(Box::new(stream)))
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

    /// The next client.
    pub(crate) async fn accept(&self) -> io::Result<AnyStream> {
        let stream: Box<dyn Stream> = match self {
            Self::Vsock(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        };
        Ok(Paced::new(stream))
    }
}

/// A stream that writes no more at once than a vsock carries ([`MAX_VSOCK_WRITE`]), and gives up on a peer that takes
/// nothing for [`WRITE_PATIENCE`].
pub(crate) struct Paced<S> {
    stream: S,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            stalled: None,
        }
    }

    /// Passes on what the stream says, and counts how long it has said nothing.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(WRITE_PATIENCE)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
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
        self.watch(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn no_write_is_longer_than_a_vsock_carries() {
        let (near, mut far) = duplex(1 << 20);
        let mut near = Paced::new(near);
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
        let error = Paced::new(near).write_all(&[7; 17]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
