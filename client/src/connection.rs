//! A connection to a peer that has proved itself. [`AttestedConnection::connect`] is the only way to get one, and no other type
//! has `send`: a prompt cannot leave before trust, because until then there is nothing to send it with.

use bytes::Bytes;
use chrysalis_attestation::Trusted;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Uri, Version,
    body::Incoming,
    header::{HOST, HeaderValue},
};

use crate::{
    Answer, Error, RelyingParty, SavedSession, Target,
    channel::{Channel, Sender, Task},
    deadlines::within,
    error::from_hyper,
    relay::{self, Way},
    term::Term,
};

/// An open, verified connection. Dropping it closes it, and the enclave stops generating.
///
/// It also closes when its verdict's `until` has passed, by the relying party's clock or by its stopwatch. From then on not a byte
/// leaves over it, and no byte of an answer is handed out. Whatever is under way ends in [`Error::Expired`].
pub struct AttestedConnection {
    sender: Sender,
    _driver: Task,
    _watch: Task,
    authority: HeaderValue,
    relying_party: RelyingParty,
    /// Through a relay, if requests go that way.
    way: Option<Way>,
    term: Term,
    trusted: Trusted,
    saved: SavedSession,
}

impl AttestedConnection {
    /// Connects, asks for evidence about this very connection, verifies it, and only then returns.
    pub async fn connect(target: &Target, relying_party: &RelyingParty) -> Result<Self, Error> {
        let once = || Box::pin(Self::connect_once(target, relying_party));
        match once().await {
            // An epoch may have begun between evidence and keys. Another one does not begin as soon.
            Err(Error::RelayKeys) => once().await,
            outcome => outcome,
        }
    }

    async fn connect_once(target: &Target, relying_party: &RelyingParty) -> Result<Self, Error> {
        let deadlines = relying_party.deadlines();
        let mut channel = Channel::open(target, deadlines).await?;
        let saved = channel.ask_for_evidence(deadlines.evidence).await?;
        let (trusted, term) = relying_party.verify_connection(&saved).await?;
        // It is set only here, so it was unset.
        let term = channel.leash.get_or_init(|| term).clone();
        let (ended, close) = (term.ended(), channel.driver.end());
        let watch = tokio::spawn(async move {
            ended.await;
            close();
        });
        let way = match relying_party.relay() {
            None => None,
            Some(relay) => {
                let keys = channel.ask_for_keys(deadlines.first_byte).await?;
                let digest = trusted.claims().hpke_key;
                let authority = channel.authority.clone();
                let way = Way::new(relay.clone(), authority, &keys, digest)?;
                // Nothing else goes this way: the host need not see for how long somebody asks.
                channel.driver.end()();
                Some(way)
            }
        };
        let authority = HeaderValue::try_from(channel.authority)
            .map_err(|error| Error::Local(error.to_string()))?;
        Ok(Self {
            sender: channel.sender,
            _driver: channel.driver,
            _watch: watch.into(),
            authority,
            relying_party: relying_party.clone(),
            way,
            term,
            trusted,
            saved,
        })
    }

    /// What was verified.
    pub fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    /// How long the connection can be trusted.
    pub(crate) fn term(&self) -> &Term {
        &self.term
    }

    /// The evidence, to keep: anyone can verify it again, offline.
    pub fn saved_session(&self) -> &SavedSession {
        &self.saved
    }

    /// Sends one request and waits for the head of its answer. Sets `Host` to the enclave's address.
    ///
    /// Refuses if what the verdict rests on has expired, before or while the request is under way. [`Error::Closed`] says that not a
    /// byte was sent, so the request may go over another connection.
    pub async fn send(&mut self, request: Request<Bytes>) -> Result<Response<Answer>, Error> {
        let deadlines = *self.relying_party.deadlines();
        let request = self.addressed(request);
        let term = self.term.clone();
        let sending = async {
            if let Some(way) = &self.way {
                // Boxed: it has a TLS handshake in it, which most requests do not make.
                return Box::pin(way.send(request, &deadlines)).await;
            }
            self.sender.ready().await.map_err(|_| Error::Closed)?;
            let sent = self.sender.try_send_request(request).await;
            let sent = sent.map_err(|mut failed| match failed.take_message() {
                Some(_) => Error::Closed,
                None => from_hyper(failed.error(), "answer"),
            })?;
            Ok(sent.map(direct))
        };
        let answer = within(deadlines.first_byte, "first byte of the answer", sending);
        let answer = tokio::select! {
            // First: once the term is over, nothing is even begun.
            biased;
            expired = term.ended() => Err(expired),
            answer = answer => match answer {
                // The connection was closed because its term had ended.
                Ok(Err(_)) if term.is_over() => Err(term.expired()),
                answer => answer?,
            },
        };
        Ok(answer?.map(|body| Answer::new(body, deadlines.idle, term)))
    }

    /// Whether the connection can take a request now.
    pub fn is_ready(&self) -> bool {
        let is_open = self.sender.is_ready() && !self.sender.is_closed();
        !self.term.is_over() && (self.way.is_some() || is_open)
    }

    /// Whether the enclave may close it at any time: through a relay, each request has a connection of its own.
    pub(crate) fn retires(&self) -> bool {
        self.way.is_none()
    }

    fn addressed(&self, request: Request<Bytes>) -> Request<Full<Bytes>> {
        let mut request = request.map(Full::new);
        if let Some(path) = request.uri().path_and_query() {
            *request.uri_mut() = Uri::from(path.clone());
        }
        // Whatever version the request came in, this hop speaks its own (RFC 9110 §2.5) and stays open.
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(HOST, self.authority.clone());
        request
    }
}

/// A body that comes over this connection.
fn direct(body: Incoming) -> relay::Body {
    body.map_err(|error| from_hyper(&error, "answer"))
        .boxed_unsync()
}
