//! The server's bounds, and what it refuses before it verifies anything. What it verifies is tested with enclaves.

use std::{fmt::Debug, net::IpAddr};

use chrysalis_wire::keys::MAX_WANTED;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio::{io::AsyncReadExt, net::TcpSocket, sync::mpsc};
use tokio_rustls::{TlsConnector, client::TlsStream as Client};

use super::*;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server without keys and without a policy, and what it is told.
struct Scene {
    address: SocketAddr,
    told: mpsc::UnboundedReceiver<String>,
    _folder: tempfile::TempDir,
}

fn scene(bounds: Bounds) -> Scene {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["keys.invalid".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap().der().clone();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyFolder::new(folder.path().to_owned());
    let (tell, told) = mpsc::unbounded_channel();
    let server = KeyServer::new(
        (certificate, key),
        keys,
        Arc::new(|| Err("there is no policy now".to_owned())),
        Arc::new(move |_, outcome| drop(tell.send(format!("{outcome:?}")))),
        bounds,
    );
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let address = (
        IpAddr::from([127, 0, 0, 1]),
        listener.local_addr().unwrap().port(),
    );
    tokio::spawn(Arc::new(server.unwrap()).serve(listener));
    Scene {
        address: address.into(),
        told,
        _folder: folder,
    }
}

impl Scene {
    /// A connection from an address of this machine.
    async fn from(&self, address: [u8; 4]) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((IpAddr::from(address), 0).into()).unwrap();
        soon(socket.connect(self.address)).await.unwrap()
    }

    /// TLS over it, with this protocol.
    async fn speak(
        &self,
        stream: TcpStream,
        protocol: &[u8],
    ) -> std::io::Result<Client<TcpStream>> {
        let mut configuration = (*tls::dangerous_configuration().unwrap()).clone();
        configuration.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("keys.invalid").unwrap();
        soon(TlsConnector::from(Arc::new(configuration)).connect(name, stream)).await
    }

    /// What a request is answered that proves nothing.
    async fn answers(&self, protocol: &[u8], keys: usize, secrets: usize) -> String {
        let stream = self.from([127, 0, 0, 1]).await;
        let mut stream = self.speak(stream, protocol).await.unwrap();
        let _: Challenge = soon(read_async(&mut stream)).await.unwrap();
        let secret = WantedSecret {
            model: "m".into(),
            name: "licence".into(),
        };
        let request = Request {
            spki: vec![1],
            bundle: vec![1],
            wanted: vec!["ab".repeat(32); keys],
            secrets: vec![secret; secrets],
        };
        soon(write_async(&mut stream, &request)).await.unwrap();
        match soon(read_async(&mut stream)).await.unwrap() {
            Answer::Refused { code, .. } => code,
            given => panic!("{given:?}"),
        }
    }

    async fn hears(&mut self) -> String {
        soon(async { self.told.recv().await.ok_or(()) })
            .await
            .unwrap()
    }
}

async fn soon<T, E: Debug>(what: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    timeout(PATIENCE, what).await.expect("in time")
}

/// Whether the server closes a connection without a word.
async fn is_closed(mut stream: TcpStream) -> bool {
    !matches!(soon(stream.read(&mut [0])).await, Ok(1..))
}

#[tokio::test]
async fn one_address_that_holds_all_it_can_takes_nothing_from_another() {
    let bounds = Bounds::default();
    let scene = scene(bounds);
    let mut held = Vec::new();
    for _ in 0..bounds.client.connections {
        let stream = scene.from([127, 0, 0, 1]).await;
        held.push(scene.speak(stream, ALPN).await.unwrap());
    }
    assert!(is_closed(scene.from([127, 0, 0, 1]).await).await);
    let other = scene.from([127, 0, 0, 2]).await;
    let mut other = scene.speak(other, ALPN).await.unwrap();
    let _: Challenge = soon(read_async(&mut other)).await.unwrap();
    // One that ends makes room for another of the same address.
    drop(held.pop());
    let again = async {
        loop {
            let stream = scene.from([127, 0, 0, 1]).await;
            if scene.speak(stream, ALPN).await.is_ok() {
                return;
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn one_address_opens_no_more_in_a_row_than_its_share() {
    let mut bounds = Bounds::default();
    bounds.client.burst = 2;
    bounds.client.every = PATIENCE;
    let scene = scene(bounds);
    for _ in 0..2 {
        assert_eq!(scene.answers(ALPN, 1, 0).await, "keys_withdrawn");
    }
    assert!(is_closed(scene.from([127, 0, 0, 1]).await).await);
    let other = scene.from([127, 0, 0, 2]).await;
    scene.speak(other, ALPN).await.unwrap();
}

/// Each step in turn: whoever stays silent in it loses the connection.
#[tokio::test]
async fn silence_ends_a_conversation_at_each_step() {
    const SHORT: Duration = Duration::from_millis(50);
    let bounds = Bounds {
        handshake: SHORT,
        ..Bounds::default()
    };
    let mut silent = scene(bounds);
    let stream = silent.from([127, 0, 0, 1]).await;
    let heard = silent.hears().await;
    assert!(
        heard.contains("Broken") && heard.contains("timed out"),
        "{heard}"
    );
    drop(stream);

    let bounds = Bounds {
        evidence: SHORT,
        ..Bounds::default()
    };
    let mut unproven = scene(bounds);
    let stream = unproven.from([127, 0, 0, 1]).await;
    let stream = unproven.speak(stream, ALPN).await.unwrap();
    let heard = unproven.hears().await;
    assert!(
        heard.contains("Broken") && heard.contains("timed out"),
        "{heard}"
    );
    drop(stream);
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_by_name() {
    let mut scene = scene(Bounds::default());
    for (protocol, keys, secrets, code) in [
        (ALPN, 0, 0, "keys_count"),
        (ALPN, MAX_WANTED + 1, 0, "keys_count"),
        (ALPN, 1, 1, "keys_protocol"),
        (ALPN, 1, 0, "keys_withdrawn"),
        (ALPN_SECRETS, 0, 1, "keys_withdrawn"),
    ] {
        assert_eq!(scene.answers(protocol, keys, secrets).await, code);
        assert!(scene.hears().await.contains(code));
    }
}

#[tokio::test]
async fn a_protocol_that_it_does_not_know_ends_the_handshake() {
    let scene = scene(Bounds::default());
    let stream = scene.from([127, 0, 0, 1]).await;
    let error = scene.speak(stream, b"chrysalis-keys/3").await.unwrap_err();
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
}
