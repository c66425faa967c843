//! A client that speaks TLS and just enough HTTP.

use std::{path::Path, sync::Arc};

use chrysalis_attestation::evidence::{Evidence, binding::TLS_EXPORTER_LABEL, claims::Claims};
use chrysalis_settle::{Attested, Receipt};
use chrysalis_wire::content::{Content, of_whole};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{ring::default_provider, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::UnixStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::host::FakeHost;

/// Accepts any certificate: trust is not decided here.
#[derive(Debug)]
pub(super) struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

pub(super) async fn connect(folder: &Path) -> TlsStream<UnixStream> {
    let stream = UnixStream::connect(folder.join("tls.sock")).await.unwrap();
    handshake(stream).await
}

/// TLS over a stream to the enclave.
pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> TlsStream<S> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("enclave.invalid").unwrap(), stream)
        .await
        .unwrap()
}

/// An answer: status, headers, body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// One request on a connection that the server then closes. A chunked body stays chunked.
pub(super) async fn ask(stream: &mut TlsStream<UnixStream>, start: &str, body: &[u8]) -> Answer {
    ask_with(stream, start, "", body).await
}

/// The same with more headers, each with its line's end.
pub(super) async fn ask_with(
    stream: &mut TlsStream<UnixStream>,
    start: &str,
    headers: &str,
    body: &[u8],
) -> Answer {
    let head = format!(
        "{start} HTTP/1.1\r\nhost: enclave\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.flush().await.unwrap();
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).await.unwrap();
    let split = whole
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(whole[..split].to_vec()).unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head,
        body: whole[split + 4..].to_vec(),
    }
}

/// One request on a connection that stays.
pub(super) async fn ask_on(stream: &mut TlsStream<UnixStream>, start: &str) -> Answer {
    let head = format!("{start} HTTP/1.1\r\nhost: enclave\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head,
        body,
    }
}

pub(super) async fn request(host: &FakeHost, start: &str, body: &Value) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    ask(
        &mut connect(host.folder.path()).await,
        start,
        body.as_bytes(),
    )
    .await
}

/// The route for chats.
pub(super) const CHAT: &str = "POST /v1/chat/completions";

/// The route for texts.
pub(super) const COMPLETIONS: &str = "POST /v1/completions";

/// Sends a chat and leaves the answer on the connection.
pub(super) async fn send<S>(stream: &mut TlsStream<S>, body: &Value)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let body = body.to_string();
    let head = format!(
        "{CHAT} HTTP/1.1\r\nhost: enclave\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

/// A connection that stays, and what only its two ends know.
pub(super) struct Connection {
    pub(super) stream: TlsStream<UnixStream>,
}

impl Connection {
    pub(super) async fn new(host: &FakeHost) -> Self {
        let stream = connect(host.folder.path()).await;
        Self { stream }
    }

    pub(super) fn exporter(&self) -> [u8; 32] {
        let session = self.stream.get_ref().1;
        session
            .export_keying_material([0; 32], TLS_EXPORTER_LABEL, None)
            .unwrap()
    }

    /// What the certificate says of the enclave.
    pub(super) fn attested(&self) -> Attested {
        let session = self.stream.get_ref().1;
        let certificate = &session.peer_certificates().unwrap()[0];
        let (evidence, _) = Evidence::from_certificate(certificate).unwrap();
        let claims = Claims::decode(&evidence.claims).unwrap();
        Attested::of(&claims, &evidence)
    }

    /// Posts, and reads the answer without its chunks.
    pub(super) async fn post(&mut self, start: &str, headers: &str, body: &[u8]) -> Answer {
        self.send(start, headers, body).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let body = match length {
            Some(length) => self.exactly(length.parse().unwrap()).await,
            None => self.chunks().await,
        };
        Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body,
        }
    }

    /// Sends a request and leaves the answer.
    pub(super) async fn send(&mut self, start: &str, headers: &str, body: &[u8]) {
        let head = format!(
            "{start} HTTP/1.1\r\nhost: enclave\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await.unwrap();
        self.stream.write_all(body).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads until this has come.
    pub(super) async fn until(&mut self, what: &[u8]) {
        let mut read = Vec::new();
        while !read.ends_with(what) {
            read.push(self.stream.read_u8().await.unwrap());
        }
    }

    async fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(self.stream.read_u8().await.unwrap());
            }
            let length = std::str::from_utf8(&line).unwrap().trim();
            let length = usize::from_str_radix(length, 16).unwrap();
            body.extend(self.exactly(length).await);
            self.exactly(2).await;
            if length == 0 {
                return body;
            }
        }
    }
}

/// The receipt of an answer, whole or streamed, and what the receipt covers and what comes after it.
pub(super) fn receipt_of(answer: &Answer) -> Option<(Receipt, String, String)> {
    let text = answer.text();
    let header = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("x-chrysalis-receipt: "));
    let (receipt, before, after) = if let Some(receipt) = header {
        (receipt.to_owned(), text, String::new())
    } else {
        let (before, rest) = text.split_once("event: receipt\ndata: ")?;
        let (receipt, after) = rest.split_once("\n\n")?;
        (receipt.to_owned(), before.to_owned(), after.to_owned())
    };
    let (receipt, _) = Receipt::from_text(&receipt).unwrap();
    Some((receipt, before, after))
}

/// What of an answer counts: events without comments, anything else without white space at its end.
pub(super) fn content(answer: &[u8]) -> Vec<u8> {
    if answer.starts_with(b"{") {
        return of_whole(answer).to_vec();
    }
    Content::default().push(answer)
}
