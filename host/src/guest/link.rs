//! How host and guest reach each other: a plain folder of sockets, a user-space vsock device, or the kernel's vsock.
//!
//! One way in for clients ([`Link::connect`], to the port where the enclave ends TLS) and one way out for the
//! enclave's questions ([`Link::listen`]).

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, anyhow};
use chrysalis_wire::host::{HOST_PORT, TLS_PORT};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tokio_vsock::{VMADDR_CID_ANY, VsockAddr, VsockListener, VsockStream};

/// The longest that a guest may take to accept a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// The longest line with which a vsock device answers `CONNECT`.
const MAX_GREETING: usize = 32;

/// A way to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// The enclave is a process: `host.sock` and `tls.sock` in a folder.
    Folder(PathBuf),
    /// `vhost-device-vsock`, Firecracker and Cloud Hypervisor: a Unix socket for connections to the guest, and one whose
    /// name ends in the port's number for those that the guest makes.
    Device(PathBuf),
    /// `AF_VSOCK`, with the guest's context id.
    Kernel(u32),
}

/// A connection with a guest.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}
/// Any connection with a guest.
pub(crate) type Connection = Box<dyn Duplex>;

impl Link {
    /// Connects to the port where the enclave ends TLS.
    pub(crate) async fn connect(&self) -> io::Result<Connection> {
        timeout(CONNECT_PATIENCE, self.connect_at_once())
            .await
            .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    async fn connect_at_once(&self) -> io::Result<Connection> {
        Ok(match self {
            Self::Folder(folder) => Box::new(UnixStream::connect(folder.join("tls.sock")).await?),
            Self::Device(socket) => Box::new(greet(UnixStream::connect(socket).await?).await?),
            Self::Kernel(cid) => {
                Box::new(VsockStream::connect(VsockAddr::new(*cid, TLS_PORT)).await?)
            }
        })
    }

    /// Listens for the enclave's questions. Nothing may be in the sockets' places.
    pub(crate) fn listen(&self) -> anyhow::Result<Listener> {
        let unix = |path: PathBuf| {
            UnixListener::bind(&path)
                .map(Listener::Unix)
                .with_context(|| format!("cannot listen on {}", path.display()))
        };
        match self {
            Self::Folder(folder) => unix(folder.join("host.sock")),
            Self::Device(socket) => {
                let mut name = socket.clone().into_os_string();
                name.push(format!("_{HOST_PORT}"));
                unix(name.into())
            }
            Self::Kernel(cid) => VsockListener::bind(VsockAddr::new(VMADDR_CID_ANY, HOST_PORT))
                .map(|listener| Listener::Kernel { listener, cid: *cid })
                .map_err(|error| {
                    anyhow!(
                        "cannot listen on vsock port {HOST_PORT}: {error}\nhint: stop the other chrysalis-host that may be using it"
                    )
                }),
        }
    }
}

/// Speaks to a vsock device until the guest has accepted.
async fn greet(mut stream: UnixStream) -> io::Result<UnixStream> {
    stream
        .write_all(format!("CONNECT {TLS_PORT}\n").as_bytes())
        .await?;
    // Byte by byte, because what follows the line is the guest's.
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        if line.len() == MAX_GREETING {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "the vsock device answered with too long a line",
            ));
        }
        line.push(stream.read_u8().await?);
    }
    if line.starts_with(b"OK ") {
        Ok(stream)
    } else {
        Err(io::Error::new(
            ErrorKind::ConnectionRefused,
            "the vsock device did not answer OK",
        ))
    }
}

/// Where the enclave's questions arrive.
#[derive(Debug)]
pub(crate) enum Listener {
    /// A socket in the state folder, which only its owner can reach.
    Unix(UnixListener),
    /// A vsock port, which every guest of this machine can reach.
    Kernel {
        /// The socket.
        listener: VsockListener,
        /// The one guest that is answered.
        cid: u32,
    },
}

impl Listener {
    /// The next connection of our guest.
    pub(crate) async fn accept(&self) -> io::Result<Connection> {
        match self {
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
            Self::Kernel { listener, cid } => loop {
                let (stream, from) = listener.accept().await?;
                if from.cid() == *cid {
                    return Ok(Box::new(stream));
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A vsock device that answers its first connection with `greeting`.
    fn device(folder: &Path, greeting: &'static [u8]) -> Link {
        let socket = folder.join("vsock.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 12];
            stream.read_exact(&mut asked).await.unwrap();
            assert_eq!(&asked, b"CONNECT 443\n");
            stream.write_all(greeting).await.unwrap();
        });
        Link::Device(socket)
    }

    #[tokio::test]
    async fn takes_from_a_vsock_device_only_its_greeting() {
        let folder = tempfile::tempdir().unwrap();
        let mut stream = device(folder.path(), b"OK 1073741824\nfrom the guest")
            .connect()
            .await
            .unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "from the guest");
    }

    #[tokio::test]
    async fn names_a_vsock_device_that_refuses_or_rambles() {
        let kind_of = async |greeting| {
            let folder = tempfile::tempdir().unwrap();
            device(folder.path(), greeting)
                .connect()
                .await
                .err()
                .map(|error| error.kind())
        };
        assert_eq!(kind_of(b"NO\n").await, Some(ErrorKind::ConnectionRefused));
        assert_eq!(kind_of(b"").await, Some(ErrorKind::UnexpectedEof));
        assert_eq!(kind_of(&[b'O'; 64]).await, Some(ErrorKind::InvalidData));
    }
}
