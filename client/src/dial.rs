//! How TCP connections are opened: straight, to public addresses alone, or through a SOCKS5 proxy, which sees where they go and ciphertext.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::SocketAddr,
    str::FromStr,
    sync::Arc,
};

use chrysalis_network::is_public;
use hyper::Uri;
use tokio::net::{TcpStream, lookup_host};
use tokio_socks::{TargetAddr, tcp::Socks5Stream};

/// The most bytes of a name or a password (RFC 1929).
const MAX_WORD: usize = 255;

/// How connections are opened. The default asks this machine's resolver, and connects to whatever it says.
#[derive(Debug, Clone, Default)]
pub struct Dial {
    via: Option<Arc<Socks>>,
    public_only: bool,
}

/// A SOCKS5 proxy (RFC 1928): `socks5://[USER:PASSWORD@]HOST:PORT`.
#[derive(Clone, PartialEq, Eq)]
pub struct Socks {
    host: String,
    port: u16,
    /// Name and password.
    login: Option<(String, String)>,
}

/// Text that names no SOCKS5 proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocksError {
    /// It is not in that form. The text may have a password in it, so it is not repeated.
    #[error("this is not a SOCKS5 proxy's address; write it as socks5://[USER:PASSWORD@]HOST:PORT")]
    Malformed,
}

impl Dial {
    /// Goes through this proxy. It resolves names as well, so that this machine's resolver learns none, and what addresses they lead to
    /// cannot be checked here.
    #[must_use]
    pub fn via(mut self, proxy: Socks) -> Self {
        self.via = Some(Arc::new(proxy));
        self
    }

    /// Connects to addresses on the public internet alone, however a name was resolved. Through a proxy, the proxy chooses the address.
    #[must_use]
    pub fn public_only(mut self) -> Self {
        self.public_only = true;
        self
    }

    /// The same, without that limit: for addresses that the person has chosen.
    #[must_use]
    pub(crate) fn anywhere(mut self) -> Self {
        self.public_only = false;
        self
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let tcp = match &self.via {
            Some(proxy) => proxy.connect(host, port).await?,
            None if self.public_only => connect_public(host, port).await?,
            None => TcpStream::connect((host, port)).await?,
        };
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }
}

/// Resolves once, and connects to what was checked: a name that leads elsewhere the next time changes nothing.
async fn connect_public(host: &str, port: u16) -> io::Result<TcpStream> {
    let found = lookup_host((host, port)).await?;
    let public: Vec<_> = public_of(found).collect();
    if public.is_empty() {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "it is not on the public internet; in a network of your own, use --allow-private",
        ));
    }
    TcpStream::connect(&public[..]).await
}

fn public_of(found: impl Iterator<Item = SocketAddr>) -> impl Iterator<Item = SocketAddr> {
    found.filter(|address| is_public(address.ip()))
}

impl Socks {
    async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        // As it stands: the proxy resolves it.
        let target = match host.parse() {
            Ok(address) => TargetAddr::Ip(SocketAddr::new(address, port)),
            Err(_) => TargetAddr::Domain(host.into(), port),
        };
        let proxy = TcpStream::connect((self.host.as_str(), self.port)).await;
        let proxy = proxy.map_err(|error| {
            io::Error::new(error.kind(), format!("the SOCKS5 proxy of --via: {error}"))
        })?;
        let connected = match &self.login {
            None => Socks5Stream::connect_with_socket(proxy, target).await,
            Some((name, password)) => {
                Socks5Stream::connect_with_password_and_socket(proxy, target, name, password).await
            }
        };
        connected
            .map(Socks5Stream::into_inner)
            .map_err(|error| io::Error::other(format!("the SOCKS5 proxy of --via: {error}")))
    }
}

impl FromStr for Socks {
    type Err = SocksError;

    fn from_str(text: &str) -> Result<Self, SocksError> {
        Self::read(text).ok_or(SocksError::Malformed)
    }
}

impl Socks {
    fn read(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = uri.authority().filter(|_| plain)?;
        if uri.scheme_str() != Some("socks5") {
            return None;
        }
        let login = match authority.as_str().rsplit_once('@') {
            None => None,
            Some((login, _)) => {
                let (name, password) = login.split_once(':')?;
                let fits = |word: &str| (1..=MAX_WORD).contains(&word.len());
                let (name, password) = (decoded(name)?, decoded(password)?);
                (fits(&name) && fits(&password)).then_some(Some((name, password)))?
            }
        };
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        (!host.is_empty()).then_some(Self {
            host,
            port: authority.port_u16().filter(|port| *port > 0)?,
            login,
        })
    }
}

/// Percent-encoding undone (RFC 3986).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let mut byte = [0];
        hex::decode_to_slice(digits, &mut byte).ok()?;
        bytes.extend(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// Without the login.
impl fmt::Debug for Socks {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Socks")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn a_proxy_has_a_host_a_port_and_perhaps_a_login() {
        let socks: Socks = "socks5://127.0.0.1:9050".parse().unwrap();
        assert_eq!((socks.host.as_str(), socks.port), ("127.0.0.1", 9050));
        assert_eq!(socks.login, None);
        let socks: Socks = "socks5://me:a%40b@[::1]:1080".parse().unwrap();
        assert_eq!((socks.host.as_str(), socks.port), ("::1", 1080));
        assert_eq!(socks.login, Some(("me".into(), "a@b".into())));
        assert!(!format!("{socks:?}").contains("a@b"));
        for wrong in [
            "",
            "127.0.0.1:9050",
            "socks5://127.0.0.1",
            "socks5://127.0.0.1:0",
            "socks5://me@127.0.0.1:9050",
            "socks5://me:@127.0.0.1:9050",
            "socks5://127.0.0.1:9050/path",
            "socks4://127.0.0.1:9050",
            "http://127.0.0.1:9050",
        ] {
            assert_eq!(
                wrong.parse::<Socks>(),
                Err(SocksError::Malformed),
                "{wrong}"
            );
        }
    }

    #[test]
    fn of_what_a_name_leads_to_only_public_addresses_are_tried() {
        let addresses = ["127.0.0.1:1", "10.0.0.1:1", "8.8.8.8:1", "[::1]:1"];
        let addresses = addresses.map(|text| text.parse().unwrap());
        let public: Vec<_> = public_of(addresses.into_iter()).collect();
        assert_eq!(public, ["8.8.8.8:1".parse().unwrap()]);
    }

    #[tokio::test]
    async fn nobody_is_sent_to_this_machine_by_a_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1"] {
            let refused = Dial::default().public_only().connect(host, port).await;
            let refused = refused.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{host}");
            assert!(Dial::default().connect(host, port).await.is_ok());
        }
    }

    /// A proxy that says yes, and what it was asked for: name, password, host and port.
    async fn proxy(listener: TcpListener) -> (String, String, Vec<u8>) {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut byte = [0; 1];
        let mut read = async |tcp: &mut TcpStream| {
            tcp.read_exact(&mut byte).await.unwrap();
            byte[0]
        };
        assert_eq!(read(&mut tcp).await, 5);
        for _ in 0..read(&mut tcp).await {
            read(&mut tcp).await;
        }
        tcp.write_all(&[5, 2]).await.unwrap();
        assert_eq!(read(&mut tcp).await, 1);
        let mut words = Vec::new();
        for _ in 0..2 {
            let mut word = vec![0; read(&mut tcp).await.into()];
            tcp.read_exact(&mut word).await.unwrap();
            words.push(String::from_utf8(word).unwrap());
        }
        tcp.write_all(&[1, 0]).await.unwrap();
        let mut head = [0; 5];
        tcp.read_exact(&mut head).await.unwrap();
        assert_eq!(head[..4], [5, 1, 0, 3], "a name, not an address");
        let mut name = vec![0; usize::from(head[4]) + 2];
        tcp.read_exact(&mut name).await.unwrap();
        tcp.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        tcp.write_all(b"through").await.unwrap();
        (words.remove(0), words.remove(0), name)
    }

    #[tokio::test]
    async fn the_proxy_resolves_names_and_this_machine_none() {
        let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await;
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let socks: Socks = format!("socks5://me:secret@{address}").parse().unwrap();
        let asked = tokio::spawn(proxy(listener));
        let dial = Dial::default().public_only().via(socks);
        let mut tcp = dial.connect("no-such-name.example", 443).await.unwrap();
        let mut text = [0; 7];
        tcp.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"through");
        let (name, password, target) = asked.await.unwrap();
        assert_eq!((name.as_str(), password.as_str()), ("me", "secret"));
        assert_eq!(target, b"no-such-name.example\x01\xbb");
    }
}
