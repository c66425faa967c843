//! A TLS connection to a peer that has not yet proved itself. It can ask for evidence and has no way to send anything else.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrysalis_attestation::evidence::{KeyAgreement, MAX_BUNDLE, Rest, SavedSession};
use chrysalis_ohttp::KEYS_TYPE;
use chrysalis_wire::api::{ATTESTATION, EVIDENCE_TYPE, HAVE, NONCE, NONCE_LENGTH, OHTTP_KEYS};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    Deadlines, Declined, Dial, Error, Target,
    deadlines::within,
    error::from_hyper,
    kept::{Came, filled},
    tcp::{Leash, Leashed},
    tls,
};

/// The most bytes of the keys for relays.
const MAX_KEYS: usize = 16 * 1024;
/// The most bytes of an error that are read.
const MAX_ERROR: usize = 16 * 1024;
/// The most bytes in the head of an answer.
const MAX_HEAD: usize = 64 * 1024;

/// What an unproved channel and a trusted connection both write to.
pub(crate) type Sender = http1::SendRequest<Full<Bytes>>;

/// A connection before trust.
pub(crate) struct Channel {
    pub(crate) sender: Sender,
    pub(crate) driver: Task,
    pub(crate) leash: Leash,
    pub(crate) authority: String,
    pub(crate) certificate: Vec<u8>,
    spki: Vec<u8>,
    exporter: [u8; 32],
    agreement: Option<KeyAgreement>,
}

/// A task that ends when this is dropped. The task that moves a connection's bytes then closes it, so the enclave stops generating.
pub(crate) struct Task(AbortHandle);

impl Task {
    /// Ends it, possibly from another task.
    pub(crate) fn end(&self) -> impl FnOnce() + Send + use<> {
        let handle = self.0.clone();
        move || handle.abort()
    }
}

impl From<JoinHandle<()>> for Task {
    fn from(task: JoinHandle<()>) -> Self {
        Self(task.abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Channel {
    /// Opens TCP, then TLS 1.3 with whatever answers.
    pub(crate) async fn open(
        target: &Target,
        dial: &Dial,
        deadlines: &Deadlines,
    ) -> Result<Self, Error> {
        let leash = Leash::default();
        let tls = connect(target, dial, deadlines, &leash).await?;
        let (_, session) = tls.get_ref();
        let certificate = session
            .peer_certificates()
            .and_then(<[_]>::first)
            .ok_or_else(|| Error::Protocol("it sent no certificate".into()))?;
        let spki =
            tls::public_key(certificate).map_err(|error| Error::Protocol(error.to_string()))?;
        let agreement = tls::agreement(session);
        let exporter = tls::exporter(session).map_err(|error| Error::Local(error.to_string()))?;
        let certificate = certificate.to_vec();
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(tls))
            .await
            .map_err(|error| from_hyper(&error, "connection"))?;
        let driver = tokio::spawn(async move {
            // Whatever ends the connection reaches the caller that waits for an answer on it.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            driver: driver.into(),
            leash,
            authority: target.authority(),
            certificate,
            spki,
            exporter,
            agreement,
        })
    }

    /// Asks for evidence about this very conversation, with a fresh nonce. It may come without one of those that are kept.
    pub(crate) async fn ask_for_evidence(
        &mut self,
        limit: Duration,
        kept: &[Arc<Rest>],
    ) -> Result<(SavedSession, Came), Error> {
        let nonce = fresh_nonce()?;
        let bundle = within(limit, "evidence", self.fetch(&nonce, kept)).await??;
        let (bundle, came) = filled(bundle, kept)?;
        let saved = SavedSession::new(self.spki.clone(), nonce, self.exporter, bundle);
        Ok((saved.agreed(self.agreement), came))
    }

    /// Asks for the keys that requests through relays are for: of use only once evidence covers them.
    pub(crate) async fn ask_for_keys(&mut self, limit: Duration) -> Result<Vec<u8>, Error> {
        let asking = self.get(OHTTP_KEYS, (KEYS_TYPE, MAX_KEYS), "keys");
        within(limit, "keys", asking).await?
    }

    async fn fetch(
        &mut self,
        nonce: &[u8; NONCE_LENGTH],
        kept: &[Arc<Rest>],
    ) -> Result<Vec<u8>, Error> {
        let digests: Vec<_> = kept.iter().map(|rest| hex::encode(rest.digest())).collect();
        let have = match &digests[..] {
            [] => String::new(),
            digests => format!("&{HAVE}={}", digests.join(",")),
        };
        let path = format!("{ATTESTATION}?{NONCE}={}{have}", hex::encode(nonce));
        self.get(&path, (EVIDENCE_TYPE, MAX_BUNDLE), "evidence")
            .await
    }

    /// Asks for something of this media type and of at most so many bytes.
    async fn get(
        &mut self,
        path: &str,
        (kind, most): (&str, usize),
        what: &'static str,
    ) -> Result<Vec<u8>, Error> {
        let request = Request::get(path)
            .header(HOST, &self.authority)
            .body(Full::default())
            .map_err(|error| Error::Local(error.to_string()))?;
        // The answer before this one may not have been put away yet.
        let ready = self.sender.ready().await;
        ready.map_err(|error| from_hyper(&error, what))?;
        let answer = self
            .sender
            .send_request(request)
            .await
            .map_err(|error| from_hyper(&error, what))?;
        if answer.status() != StatusCode::OK {
            return Err(declined(answer, what).await);
        }
        if answer
            .headers()
            .get(CONTENT_TYPE)
            .is_none_or(|found| found != kind)
        {
            return Err(Error::Protocol(format!(
                "asked for {what}, it answered with something other than {kind}"
            )));
        }
        read(answer, most, what).await
    }
}

async fn connect(
    target: &Target,
    dial: &Dial,
    deadlines: &Deadlines,
    leash: &Leash,
) -> Result<TlsStream<Leashed>, Error> {
    let unreachable = |why: std::io::Error| Error::Unreachable {
        address: target.to_string(),
        why: why.to_string(),
    };
    let name = target
        .server_name()
        .ok_or_else(|| Error::Local(format!("{target} has no host name that TLS can carry")))?;
    let configuration =
        tls::dangerous_configuration().map_err(|error| Error::Local(error.to_string()))?;
    let tcp = dial.connect(target.host(), target.port());
    let tcp = within(deadlines.connect, "TCP connection", tcp)
        .await?
        .map_err(unreachable)?;
    let tcp = Leashed::new(tcp, Leash::clone(leash));
    let handshake = TlsConnector::from(configuration).connect(name, tcp);
    within(deadlines.handshake, "TLS handshake", handshake)
        .await?
        .map_err(|error| {
            match error
                .get_ref()
                .and_then(|inside| inside.downcast_ref::<rustls::Error>())
            {
                Some(tls) => Error::Protocol(format!("the TLS handshake failed: {tls}")),
                None => unreachable(error),
            }
        })
}

/// What an answer means that is none: what the peer says, if it is something that an enclave may say.
async fn declined(answer: Response<Incoming>, what: &'static str) -> Error {
    let status = answer.status();
    let said = read(answer, MAX_ERROR, what).await.unwrap_or_default();
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap_or_default();
    match said["error"]["code"].as_str().and_then(Declined::of) {
        Some(why) => Error::Declined { what, why },
        None => Error::Protocol(format!("asked for {what}, it answered {status}")),
    }
}

async fn read(
    answer: Response<Incoming>,
    most: usize,
    what: &'static str,
) -> Result<Vec<u8>, Error> {
    match Limited::new(answer.into_body(), most).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::Protocol(format!(
            "its {what} has more than {most} bytes"
        ))),
        Err(error) => Err(match error.downcast_ref::<hyper::Error>() {
            Some(error) => from_hyper(error, what),
            None => Error::Incomplete { what },
        }),
    }
}

fn fresh_nonce() -> Result<[u8; NONCE_LENGTH], Error> {
    let mut nonce = [0; NONCE_LENGTH];
    match SystemRandom::new().fill(&mut nonce) {
        Ok(()) => Ok(nonce),
        Err(_) => Err(Error::Local("no random numbers".into())),
    }
}
