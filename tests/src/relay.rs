//! A host that ends TLS with a key of its own and passes requests on: what every TLS-terminating proxy does.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use chrysalis_wire::api::{ALPN, ATTESTATION, NONCE};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ServerConfig, ServerConnection,
    SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
};

/// The relay, for as long as the process lives.
pub struct TerminatingRelay {
    address: String,
    seen: Arc<Mutex<String>>,
}

impl TerminatingRelay {
    /// Passes each request on to `target`, `HOST:PORT`.
    pub fn before(target: &str) -> Self {
        let target = target.to_owned();
        Self::answering(move |request| ask(&target, request))
    }

    /// Answers every request with what `target` answered to the first attestation request of this relay's own.
    pub fn replaying(target: &str) -> Self {
        let nonce = "00".repeat(32);
        let old = ask(
            target,
            &format!("GET {ATTESTATION}?{NONCE}={nonce} HTTP/1.1\r\nhost: enclave\r\n\r\n"),
        );
        Self::answering(move |_| old.clone())
    }

    fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let relay = Self {
            address,
            seen: Arc::default(),
        };
        let (seen, tls, answer) = (relay.seen.clone(), Arc::new(server()), Arc::new(answer));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (seen, tls, answer) = (seen.clone(), tls.clone(), answer.clone());
                thread::spawn(move || {
                    let connection = ServerConnection::new(tls).expect("a server");
                    let mut client = StreamOwned::new(connection, client);
                    while let Some(request) = head(&mut client) {
                        seen.lock().expect("unpoisoned").push_str(&request);
                        if client.write_all(&answer(&request)).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        relay
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Everything clients said, decrypted.
    pub fn seen(&self) -> String {
        self.seen.lock().expect("unpoisoned").clone()
    }
}

/// One request without a body over a TLS that believes anyone: the whole response.
fn ask(target: &str, request: &str) -> Vec<u8> {
    let name = ServerName::try_from("enclave").expect("a name");
    let connection = ClientConnection::new(Arc::new(client()), name).expect("a client");
    let mut server = StreamOwned::new(
        connection,
        TcpStream::connect(target).expect("the enclave answers"),
    );
    server
        .write_all(request.as_bytes())
        .expect("a writable connection");
    let mut response = head(&mut server).expect("a response").into_bytes();
    let length = String::from_utf8_lossy(&response)
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let mut body = vec![0; length];
    server.read_exact(&mut body).expect("a body");
    response.append(&mut body);
    response
}

/// Reads up to the empty line that ends a head, or `None` at the end of the stream.
pub(crate) fn head(from: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

fn server() -> ServerConfig {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["enclave".to_owned()])
        .and_then(|parameters| parameters.self_signed(&key))
        .expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .expect("a matching key");
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

pub(crate) fn client() -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Believes any certificate: a liar needs no proof.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
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
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
