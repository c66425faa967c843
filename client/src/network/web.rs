//! Files over HTTP: https with the system's roots, or http on this machine. One connection a file, no redirects, every byte and second
//! counted.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1,
    header::{ETAG, HOST, IF_NONE_MATCH, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::{Fetched, Getting, Source, Trouble};
use crate::{Dial, channel::Task, tls};

/// How long one file may take, from the name to its last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes in the head of an answer.
const MAX_HEAD: usize = 16 * 1024;
/// The most bytes of an `ETag`.
const MAX_ETAG: usize = 256;

/// Gets files over HTTP.
#[derive(Clone)]
pub struct Web {
    dial: Dial,
    tls: Arc<ClientConfig>,
    patience: Duration,
}

/// Why nothing can be got.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this machine cannot verify a directory's certificate: {0}; install its CA certificates")]
pub struct WebError(String);

/// Where a file is.
struct Place {
    host: String,
    port: u16,
    authority: String,
    path: String,
    is_https: bool,
}

impl Web {
    /// Opens connections so. Directories are named by whom the person trusts to name them, so they may be anywhere.
    pub fn new(dial: &Dial) -> Result<Self, WebError> {
        Ok(Self {
            dial: dial.clone().anywhere(),
            tls: tls::ordinary().map_err(WebError)?,
            patience: PATIENCE,
        })
    }

    /// How long one file may take.
    #[must_use]
    pub fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    async fn ask(&self, url: &str, most: usize, etag: Option<&str>) -> Result<Fetched, Trouble> {
        let place = Place::of(url)?;
        let unreachable = |why: std::io::Error| Trouble::Unreachable(why.to_string());
        let tcp = self.dial.connect(&place.host, place.port).await;
        let tcp = tcp.map_err(unreachable)?;
        if !place.is_https {
            return exchange(tcp, &place, most, etag).await;
        }
        let name = ServerName::try_from(place.host.clone());
        let name = name.map_err(|error| Trouble::NotHttp(error.to_string()))?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp);
        exchange(tls.await.map_err(unreachable)?, &place, most, etag).await
    }
}

impl Source for Web {
    fn get<'a>(&'a self, url: &'a str, most: usize, etag: Option<&'a str>) -> Getting<'a> {
        let asked = tokio::time::timeout(self.patience, self.ask(url, most, etag));
        Box::pin(async move { asked.await.unwrap_or(Err(Trouble::Stalled(self.patience))) })
    }
}

impl Place {
    fn of(url: &str) -> Result<Self, Trouble> {
        let wrong = |why: &str| Trouble::NotHttp(format!("`{url}` {why}"));
        let uri: Uri = url.parse().map_err(|_| wrong("is no address"))?;
        let authority = uri.authority().ok_or_else(|| wrong("is no address"))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_here(&host) => false,
            _ => {
                return Err(wrong(
                    "is not https, and only this machine's own may be http",
                ));
            }
        };
        if authority.as_str().contains('@') {
            return Err(wrong("has a login in it"));
        }
        let usual = if is_https { 443 } else { 80 };
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(usual),
            authority: authority.to_string(),
            path: uri.path().to_owned(),
            is_https,
        })
    }
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|it: IpAddr| it.is_loopback())
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    place: &Place,
    most: usize,
    etag: Option<&str>,
) -> Result<Fetched, Trouble> {
    let broken = |error: hyper::Error| Trouble::Unreachable(error.to_string());
    let mut request = Request::get(&place.path)
        .header(HOST, &place.authority)
        .header(USER_AGENT, concat!("chrysalis/", env!("CARGO_PKG_VERSION")));
    if let Some(etag) = etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|error| Trouble::NotHttp(error.to_string()))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let driver: Task = tokio::spawn(async move {
        // What ends the connection ends the answer.
        let _ = connection.await;
    })
    .into();
    let answer = sender.send_request(request).await.map_err(broken)?;
    let fetched = read(answer, place, most, etag.is_some()).await;
    drop(driver);
    fetched
}

async fn read(
    answer: Response<Incoming>,
    place: &Place,
    most: usize,
    asked: bool,
) -> Result<Fetched, Trouble> {
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if asked => return Ok(Fetched::Unchanged),
        StatusCode::NOT_FOUND => return Err(Trouble::Missing(place.path.clone())),
        status => {
            return Err(Trouble::NotHttp(format!(
                "asked for {}, it says {status}",
                place.path
            )));
        }
    }
    let etag = answer.headers().get(ETAG).and_then(|it| it.to_str().ok());
    let etag = etag.filter(|it| it.len() <= MAX_ETAG).map(str::to_owned);
    match Limited::new(answer.into_body(), most).collect().await {
        Ok(body) => Ok(Fetched::Found {
            body: body.to_bytes().into(),
            etag,
        }),
        Err(error) if error.is::<LengthLimitError>() => Err(Trouble::TooLarge { most }),
        Err(error) => Err(Trouble::Unreachable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn https_anywhere_and_http_on_this_machine_alone() {
        let place = Place::of("https://directory.example/now/00").unwrap();
        assert_eq!((place.port, place.path.as_str()), (443, "/now/00"));
        let place = Place::of("http://[::1]:8090/network").unwrap();
        assert_eq!((place.host.as_str(), place.port), ("::1", 8090));
        for wrong in [
            "http://directory.example/",
            "ftp://directory.example/",
            "https://me@directory.example/",
            "/now",
            "",
        ] {
            let trouble = Place::of(wrong).err().unwrap();
            assert_eq!(trouble.code(), "directory_not_http", "{wrong}");
        }
    }

    /// A server that answers the first request with this, over and over.
    async fn serving(piece: &'static str, pause: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = tcp.read(&mut [0; 1024]).await;
                    let head = b"HTTP/1.1 200 OK\r\netag: \"1\"\r\n\r\n";
                    let _ = tcp.write_all(head).await;
                    while tcp.write_all(piece.as_bytes()).await.is_ok() {
                        tokio::time::sleep(pause).await;
                    }
                });
            }
        });
        format!("http://{address}/file")
    }

    #[tokio::test]
    async fn endless_files_and_slow_ones_end_by_name() {
        let web = Web::new(&Dial::default()).unwrap();
        let web = web.patient_for(Duration::from_millis(300));
        let code = async |url: &str| web.get(url, 1000, None).await.unwrap_err().code();
        let endless = serving("gigabytes of it", Duration::ZERO).await;
        assert_eq!(code(&endless).await, "directory_too_large");
        let slow = serving("x", Duration::from_millis(50)).await;
        assert_eq!(code(&slow).await, "directory_stalled");
        assert_eq!(code("http://127.0.0.1:1/").await, "directory_unreachable");
    }
}
