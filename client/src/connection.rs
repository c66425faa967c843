//! A connection to a peer that has proved itself. [`AttestedConnection::connect`] is the only way to one, and only it
//! has `send`: a prompt cannot leave before trust, because until then there is nothing to send it with.

use bytes::Bytes;
use chrysalis_attestation::Trusted;
use http_body_util::Full;
use hyper::{
    Request, Response, Uri, Version,
    header::{HOST, HeaderValue},
};

use crate::{
    Answer, Error, RelyingParty, SavedSession, Target,
    channel::{Channel, Driver, Sender},
    deadlines::within,
    error::from_hyper,
};

/// An open, verified connection. Dropped, it closes, and the enclave stops what it was answering.
pub struct AttestedConnection {
    sender: Sender,
    _driver: Driver,
    authority: HeaderValue,
    relying_party: RelyingParty,
    trusted: Trusted,
    saved: SavedSession,
}

impl AttestedConnection {
    /// Connects, asks for evidence about this very connection, verifies it, and only then is a connection.
    pub async fn connect(target: &Target, relying_party: &RelyingParty) -> Result<Self, Error> {
        let deadlines = relying_party.deadlines();
        let mut channel = Channel::open(target, deadlines).await?;
        let saved = channel.ask_for_evidence(deadlines.evidence).await?;
        let trusted = relying_party.verify_session(&saved)?;
        let authority = HeaderValue::try_from(channel.authority)
            .map_err(|error| Error::Local(error.to_string()))?;
        Ok(Self {
            sender: channel.sender,
            _driver: channel.driver,
            authority,
            relying_party: relying_party.clone(),
            trusted,
            saved,
        })
    }

    /// What was verified.
    pub fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    /// The evidence, to keep: it can be verified again by anyone, offline.
    pub fn saved_session(&self) -> &SavedSession {
        &self.saved
    }

    /// Sends one request and waits for the head of its answer. `Host` is set to the enclave's address.
    ///
    /// Refuses when what the verdict rests on has run out since. [`Error::Closed`] says that not a byte was sent, so that
    /// the request may go over another connection.
    pub async fn send(&mut self, request: Request<Bytes>) -> Result<Response<Answer>, Error> {
        let until = self.trusted.until();
        if self.relying_party.now() > until {
            return Err(Error::Expired { until: until.0 });
        }
        let deadlines = *self.relying_party.deadlines();
        let request = self.addressed(request);
        let sending = async {
            self.sender.ready().await.map_err(|_| Error::Closed)?;
            let sent = self.sender.try_send_request(request).await;
            sent.map_err(|mut failed| match failed.take_message() {
                Some(_) => Error::Closed,
                None => from_hyper(failed.error(), "answer"),
            })
        };
        let answer = within(deadlines.first_byte, "first byte of the answer", sending).await??;
        Ok(answer.map(|body| Answer::new(body, deadlines.idle)))
    }

    /// Whether the connection can take a request now.
    pub fn is_ready(&self) -> bool {
        self.sender.is_ready() && !self.sender.is_closed()
    }

    fn addressed(&self, request: Request<Bytes>) -> Request<Full<Bytes>> {
        let mut request = request.map(Full::new);
        if let Some(path) = request.uri().path_and_query() {
            *request.uri_mut() = Uri::from(path.clone());
        }
        // Whatever version the request came in: this hop speaks its own (RFC 9110 §2.5), and stays open.
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(HOST, self.authority.clone());
        request
    }
}
