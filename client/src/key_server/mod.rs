//! The other way round: whoever owns a model's key gives it to enclaves that prove themselves, and with it the secrets of engines
//! (docs/spec/keys.md). The same evidence, the same policy and the same verifier as for a client; only that here the enclave connects, and
//! is asked a question before it gets an answer.

mod bounds;
mod folder;
mod given;
mod secret;
#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use chrysalis_attestation::{
    Trusted,
    evidence::{KeyAgreement, binding::Session},
};
use chrysalis_wire::{
    clients::{Client, Clients},
    frame::{FrameError, read_async, write_async},
    keys::{ALPN, ALPN_SECRETS, Answer, Challenge, Request},
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::NoServerSessionStorage,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use self::given::{Given, Refusal, Wanted as Asked};
pub use self::{
    bounds::Bounds,
    folder::{KeyFolder, NoKey, NotAdded},
    secret::{Addressee, MAX_ADDRESSEES, NoAddressee},
};
use crate::{Error, RelyingParty, tls};
pub use chrysalis_wire::keys::{MAX_SECRET, WantedSecret, Wiped};

/// The pause after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(50);

/// What an enclave has to be, read anew for each that asks, so that what is withdrawn is withdrawn at once. Or why nobody gets a key.
pub type Wanted = Arc<dyn Fn() -> Result<RelyingParty, String> + Send + Sync>;

/// Hears how each conversation ended.
pub type Told = Arc<dyn Fn(SocketAddr, &Outcome) + Send + Sync>;

/// How a conversation ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// An enclave was given what it asked for.
    Given {
        /// The roots of the disks whose keys it got.
        roots: Vec<String>,
        /// The secrets that it got, without their values.
        secrets: Vec<WantedSecret>,
        /// What was verified.
        enclave: Box<Trusted>,
    },
    /// It was not.
    Refused {
        /// The code that it was told.
        code: &'static str,
        /// Why.
        why: String,
    },
    /// There was no conversation.
    Broken(String),
}

/// Gives keys and secrets to enclaves.
pub struct KeyServer {
    acceptor: TlsAcceptor,
    keys: KeyFolder,
    wanted: Wanted,
    told: Told,
    bounds: Bounds,
}

impl KeyServer {
    /// Shows this certificate, and gives keys and secrets of this folder to enclaves that are what is wanted.
    pub fn new(
        (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
        keys: KeyFolder,
        wanted: Wanted,
        told: Told,
        bounds: Bounds,
    ) -> Result<Self, rustls::Error> {
        let mut configuration = ServerConfig::builder_with_provider(Arc::new(tls::provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        configuration.alpn_protocols = vec![ALPN_SECRETS.to_vec(), ALPN.to_vec()];
        // Each connection has an exporter of its own.
        configuration.session_storage = Arc::new(NoServerSessionStorage {});
        configuration.send_tls13_tickets = 0;
        configuration.max_early_data_size = 0;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(configuration)),
            keys,
            wanted,
            told,
            bounds,
        })
    }

    /// Serves for as long as it is polled. What one address takes is not another's.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let clients = Clients::new(self.bounds.client);
        let places = Arc::new(Semaphore::new(self.bounds.connections));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let Ok((stream, peer)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            // One that has its share is not told, and costs no more than this.
            let Some(visit) = clients.admit(Client::of(peer.ip()), Instant::now()) else {
                continue;
            };
            let server = Arc::clone(&self);
            tokio::spawn(async move {
                let outcome = server.converse(stream).await;
                let outcome = outcome.unwrap_or_else(|error| Outcome::Broken(error.to_string()));
                (server.told)(peer, &outcome);
                drop((place, visit));
            });
        }
    }

    async fn converse(&self, stream: TcpStream) -> Result<Outcome, FrameError> {
        let bounds = self.bounds;
        let accepting = within(bounds.handshake, self.acceptor.accept(stream)).await;
        let mut stream = accepting?;
        let exporter = tls::exporter(stream.get_ref().1).map_err(std::io::Error::other)?;
        let mut nonce = [0; 32];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
        let challenge = Challenge { nonce };
        within(bounds.reading, write_async(&mut stream, &challenge)).await?;
        let request = within(bounds.evidence, read_async(&mut stream)).await?;
        let session = Session::Keys { nonce, exporter };
        let (answer, outcome) = match self.judge(request, session, stream.get_ref().1).await {
            Ok(Given {
                answer,
                wanted,
                enclave,
            }) => {
                let given = Outcome::Given {
                    roots: wanted.roots,
                    secrets: wanted.secrets,
                    enclave: Box::new(enclave),
                };
                (answer, given)
            }
            Err(Refusal { code, why }) => {
                let said = Answer::Refused {
                    code: code.to_owned(),
                    why: why.clone(),
                };
                (said, Outcome::Refused { code, why })
            }
        };
        within(bounds.reading, say_last(&mut stream, &answer)).await?;
        Ok(outcome)
    }

    /// What was asked for, and what asked for it. All or none.
    async fn judge(
        &self,
        request: Request,
        session: Session,
        connection: &rustls::ServerConnection,
    ) -> Result<Given, Refusal> {
        let Request {
            spki,
            bundle,
            wanted: roots,
            secrets,
        } = request;
        let wanted = Asked { roots, secrets };
        wanted.check(connection.alpn_protocol())?;
        let party = (self.wanted)().map_err(|why| Refusal::new("keys_withdrawn", why))?;
        let agreement: Option<KeyAgreement> = tls::agreement(connection);
        // NVIDIA may have to be asked, which takes a while.
        let verifying =
            spawn_blocking(move || party.verify_asker(&bundle, &session, agreement, &spki));
        let verified = match timeout(self.bounds.verdict, verifying).await {
            Ok(Ok(verified)) => verified,
            Ok(Err(error)) => Err(Error::Local(error.to_string())),
            Err(_) => Err(Error::Local("the verdict took too long".to_owned())),
        };
        let enclave = verified.map_err(|error| Refusal::new(error.code(), error.to_string()))?;
        let answer = wanted.find(enclave.claims(), &self.keys)?;
        Ok(Given {
            answer,
            wanted,
            enclave,
        })
    }
}

async fn say_last(stream: &mut TlsStream<TcpStream>, answer: &Answer) -> Result<(), FrameError> {
    write_async(stream, answer).await?;
    Ok(stream.shutdown().await?)
}

/// A step of a conversation that takes no longer than this.
async fn within<T, E: Into<FrameError>>(
    most: Duration,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, FrameError> {
    let late = |_| FrameError::Io(std::io::ErrorKind::TimedOut.into());
    timeout(most, step).await.map_err(late)?.map_err(Into::into)
}
