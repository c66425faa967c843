//! The other way round: whoever owns a model's key gives it to enclaves that prove themselves (docs/spec/keys.md). The same evidence, the same
//! policy and the same verifier as for a client; only that here the enclave connects, and is asked a question before it gets an answer.

mod folder;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chrysalis_attestation::{
    Trusted,
    evidence::{KeyAgreement, binding::Session},
};
use chrysalis_wire::{
    frame::{FrameError, read_async, write_async},
    keys::{ALPN, Answer, Challenge, MAX_WANTED, Request},
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::NoServerSessionStorage,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

pub use self::folder::{KeyFolder, NoKey};
use crate::{Error, RelyingParty, tls};

/// Conversations at once; one more waits.
const AT_ONCE: usize = 64;
/// How long a handshake, and how long evidence, may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
const EVIDENCE: Duration = Duration::from_secs(90);
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
    /// An enclave was given keys.
    Given {
        /// The roots of their disks.
        roots: Vec<String>,
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

/// Gives keys to enclaves.
pub struct KeyServer {
    acceptor: TlsAcceptor,
    keys: KeyFolder,
    wanted: Wanted,
    told: Told,
}

/// Why an enclave gets no key.
struct Refusal {
    code: &'static str,
    why: String,
}

impl KeyServer {
    /// Shows this certificate, and gives keys of this folder to enclaves that are what is wanted.
    pub fn new(
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
        keys: KeyFolder,
        wanted: Wanted,
        told: Told,
    ) -> Result<Self, rustls::Error> {
        let mut configuration = ServerConfig::builder_with_provider(Arc::new(tls::provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        configuration.alpn_protocols = vec![ALPN.to_vec()];
        // Each connection has an exporter of its own.
        configuration.session_storage = Arc::new(NoServerSessionStorage {});
        configuration.send_tls13_tickets = 0;
        configuration.max_early_data_size = 0;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(configuration)),
            keys,
            wanted,
            told,
        })
    }

    /// Serves for as long as it is polled.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let Ok((stream, peer)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let server = Arc::clone(&self);
            tokio::spawn(async move {
                let outcome = server.converse(stream).await;
                let outcome = outcome.unwrap_or_else(|error| Outcome::Broken(error.to_string()));
                (server.told)(peer, &outcome);
                drop(place);
            });
        }
    }

    async fn converse(&self, stream: TcpStream) -> Result<Outcome, FrameError> {
        let late = || FrameError::Io(std::io::ErrorKind::TimedOut.into());
        let accepted = timeout(HANDSHAKE, self.acceptor.accept(stream)).await;
        let mut stream = accepted.map_err(|_| late())??;
        let connection = stream.get_ref().1;
        let agreement = tls::agreement(connection);
        let exporter = tls::exporter(connection).map_err(std::io::Error::other)?;
        let mut nonce = [0; 32];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
        write_async(&mut stream, &Challenge { nonce }).await?;
        let asked = timeout(EVIDENCE, read_async(&mut stream)).await;
        let request: Request = asked.map_err(|_| late())??;
        let session = Session::Keys { nonce, exporter };
        let (answer, outcome) = match self.judge(request, session, agreement).await {
            Ok((keys, roots, enclave)) => {
                let enclave = Box::new(enclave);
                (Answer::Keys(keys), Outcome::Given { roots, enclave })
            }
            Err(Refusal { code, why }) => {
                let said = Answer::Refused {
                    code: code.to_owned(),
                    why: why.clone(),
                };
                (said, Outcome::Refused { code, why })
            }
        };
        write_async(&mut stream, &answer).await?;
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await?;
        Ok(outcome)
    }

    /// The keys that were asked for, and what asked for them. All or none.
    async fn judge(
        &self,
        request: Request,
        session: Session,
        agreement: Option<KeyAgreement>,
    ) -> Result<(Vec<Zeroizing<Vec<u8>>>, Vec<String>, Trusted), Refusal> {
        let Request {
            spki,
            bundle,
            wanted,
        } = request;
        if wanted.is_empty() || wanted.len() > MAX_WANTED {
            return Err(Refusal {
                code: "keys_count",
                why: format!("one may ask for 1 to {MAX_WANTED} keys at once"),
            });
        }
        let party = (self.wanted)().map_err(|why| Refusal {
            code: "keys_withdrawn",
            why,
        })?;
        // NVIDIA may have to be asked, which takes a while.
        let verifying =
            spawn_blocking(move || party.verify_asker(&bundle, &session, agreement, &spki));
        let verified = verifying.await;
        let verified = verified.unwrap_or_else(|error| Err(Error::Local(error.to_string())));
        let trusted = verified.map_err(|error| Refusal {
            code: error.code(),
            why: error.to_string(),
        })?;
        let mut keys = Vec::new();
        for root in &wanted {
            let claimed = trusted.claims().models.iter();
            if !claimed.clone().any(|it| hex::encode(it.disk) == *root) {
                return Err(Refusal {
                    code: "keys_not_its_model",
                    why: format!("its configuration names no model on the disk {root}"),
                });
            }
            let key = self.keys.get(root).map_err(|error| Refusal {
                code: "keys_unknown",
                why: error.to_string(),
            });
            keys.push(key?);
        }
        Ok((keys, wanted, trusted))
    }
}
