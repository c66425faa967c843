//! The connection's bytes, for as long as the verdict on its peer holds. This sits below TLS, so that nothing that TLS still holds
//! back leaves once the term is over. What the kernel has not sent by then is thrown away with the socket.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::term::Term;

/// The term of a connection's trust. Unset until the peer has proved itself; until then only a request for evidence can be sent.
pub(crate) type Leash = Arc<OnceLock<Term>>;

/// TCP on a leash.
pub(crate) struct Leashed {
    tcp: TcpStream,
    leash: Leash,
}

impl Leashed {
    /// Free until a term is set.
    pub(crate) fn new(tcp: TcpStream, leash: Leash) -> Self {
        Self { tcp, leash }
    }

    fn is_over(&self) -> bool {
        self.leash.get().is_some_and(Term::is_over)
    }

    fn check(&self) -> io::Result<()> {
        if self.is_over() {
            Err(io::Error::other("what the connection rests on has expired"))
        } else {
            Ok(())
        }
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        if self.is_over() {
            // Without this the kernel would go on sending what it holds. If it fails, TLS still hides what is sent from everyone but
            // the enclave that was trusted when it was encrypted.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Leashed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for Leashed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.tcp).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::SeqCst},
        time::Duration,
    };

    use chrysalis_attestation::Time;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::clock::Moment;

    /// A connection whose term ends when the switch is turned, and its other side.
    async fn scene() -> (Leashed, TcpStream, Arc<AtomicBool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap());
        let (tcp, peer) = (tcp.await.unwrap(), listener.accept().await.unwrap().0);
        let over = Arc::new(AtomicBool::new(false));
        let switch = Arc::clone(&over);
        let verified = Moment {
            elapsed: Duration::ZERO,
            now: Time(0),
        };
        let stopwatch = move || Duration::from_secs(switch.load(SeqCst).into());
        let term = Term::new(Arc::new(|| Time(0)), Arc::new(stopwatch), verified, Time(0));
        let leash = Leash::default();
        let leashed = Leashed::new(tcp, Arc::clone(&leash));
        assert!(leash.set(term).is_ok());
        (leashed, peer, over)
    }

    #[tokio::test]
    async fn once_the_term_is_over_no_byte_leaves_and_none_is_taken() {
        let (mut leashed, mut peer, over) = scene().await;
        leashed.write_all(b"before").await.unwrap();
        peer.write_all(b"heard").await.unwrap();
        let mut heard = [0; 5];
        leashed.read_exact(&mut heard).await.unwrap();
        peer.write_all(b"unheard").await.unwrap();
        over.store(true, SeqCst);
        assert!(leashed.write(b"after").await.is_err());
        let pieces = [IoSlice::new(b"af"), IoSlice::new(b"ter")];
        assert!(leashed.write_vectored(&pieces).await.is_err());
        assert!(leashed.read(&mut heard).await.is_err());
        leashed.shutdown().await.unwrap();
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"before");
    }

    #[tokio::test]
    async fn what_the_kernel_holds_goes_with_the_connection_only_when_the_term_is_over() {
        for is_over in [false, true] {
            let (leashed, mut peer, over) = scene().await;
            over.store(is_over, SeqCst);
            drop(leashed);
            let end = peer.read(&mut [0]).await.map_err(|error| error.kind());
            let expected = if is_over {
                Err(io::ErrorKind::ConnectionReset)
            } else {
                Ok(0)
            };
            assert_eq!(end, expected);
        }
    }
}
